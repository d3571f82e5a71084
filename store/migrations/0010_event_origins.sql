-- Who did it and through what: as JSON, and in the words that a search reads. Older events have the actor alone.
ALTER TABLE events ADD COLUMN origin VARCHAR DEFAULT '';
ALTER TABLE events ADD COLUMN done_by VARCHAR DEFAULT '';
UPDATE events SET done_by = actor;
