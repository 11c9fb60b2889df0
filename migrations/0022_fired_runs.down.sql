DROP INDEX schedule_runs_fired;
