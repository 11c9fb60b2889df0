-- What a schedule has fired, newest first, however many of its times were skipped since: whether an earlier run still goes.
CREATE INDEX schedule_runs_fired ON schedule_runs (schedule_id, id DESC) WHERE state = 'fired';
