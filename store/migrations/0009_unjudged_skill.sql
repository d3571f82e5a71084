-- A skill or a direction that cannot be judged, because nothing moved, is NULL.
ALTER TABLE performance ALTER COLUMN skill_static DROP NOT NULL;
ALTER TABLE performance ALTER COLUMN skill_ewma DROP NOT NULL;
ALTER TABLE performance ALTER COLUMN direction DROP NOT NULL;
