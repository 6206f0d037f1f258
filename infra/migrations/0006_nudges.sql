-- migrate:up

SET ROLE rapport_owner;
SET search_path = rapport, pg_temp;

-- The rhythm as of the same day as the score (msgpack), and what lists pick and sort by.
ALTER TABLE relationship
  ADD COLUMN rhythm        bytea,
  ADD COLUMN rhythm_status text,
  ADD COLUMN silence_ratio double precision,       -- silence by cadence
  ADD COLUMN trend         double precision,
  ADD COLUMN shows         smallint NOT NULL DEFAULT 0;  -- which edition of these columns; an older one is looked at again
CREATE INDEX relationship_by_silence ON relationship (tenant_id, build, coalesce(silence_ratio, -1) DESC, contact_id);
-- Lists of 50,000 by last touch or by name were sorted for each page.
CREATE INDEX relationship_by_last_touch ON relationship (tenant_id, build, coalesce(last_touch_at, '-infinity'), contact_id);
CREATE INDEX contact_by_name ON contact (tenant_id, build, lower(coalesce(name, '')), contact_id);

-- Rows from before are looked at again at once, not after midnight.
RESET ROLE;
SET ROLE rapport_log;
UPDATE due SET due_at = now() WHERE task = 'rescore';
RESET ROLE;
RESET search_path;

-- migrate:down
