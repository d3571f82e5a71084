-- JSON of the live loss beside what it was at training; NULL where the model does not say.
ALTER TABLE drift_reports ADD COLUMN loss VARCHAR;
