-- Events since a time, for replays to webhooks: they are written in the order of time, so that an index of page ranges finds them.
CREATE INDEX events_created ON events USING brin (created_at) WITH (pages_per_range = 16, autosummarize = on);
