-- migrate:up

SET ROLE rapport_owner;
SET search_path = rapport, pg_temp;

-- The rhythm as of the same day as the score (msgpack), and what lists pick and sort by.
ALTER TABLE relationship
  ADD COLUMN rhythm        bytea,
  ADD COLUMN rhythm_status text,
  ADD COLUMN silence_ratio double precision,       -- silence by cadence
  ADD COLUMN trend         double precision,       -- of ties that have a rhythm and go on
  ADD COLUMN shows         smallint NOT NULL DEFAULT 0;  -- which edition of these columns; an older one is looked at again
CREATE INDEX relationship_by_silence ON relationship (tenant_id, build, coalesce(silence_ratio, -1) DESC, contact_id);
-- Lists of 50,000 by last touch or by name were sorted for each page.
CREATE INDEX relationship_by_last_touch ON relationship (tenant_id, build, coalesce(last_touch_at, '-infinity'), contact_id);
CREATE INDEX contact_by_name ON contact (tenant_id, build, lower(coalesce(name, '')), contact_id);

-- What a nudge is about beside its contact, why it ended, and where its stream ends as far as the list knows.
ALTER TABLE nudge
  ADD COLUMN referral_id     uuid,
  ADD COLUMN because         text,
  ADD COLUMN stream_position bigint;

-- The policy in force, JSON; no row where none was ever set.
CREATE TABLE nudge_policy (
  tenant_id uuid NOT NULL,
  build     int NOT NULL,
  policy    bytea NOT NULL,
  set_at    timestamptz NOT NULL,
  position  bigint NOT NULL,
  PRIMARY KEY (tenant_id, build));

-- Which kinds of nudge leave which contact in peace, and until when.
CREATE TABLE nudge_mute (
  tenant_id  uuid NOT NULL,
  build      int NOT NULL,
  contact_id uuid NOT NULL,
  kind       text NOT NULL,
  until      timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, build, contact_id, kind));

ALTER TABLE contact ADD COLUMN leave_alone boolean NOT NULL DEFAULT false;

DO $$
DECLARE walled text;
BEGIN
  FOREACH walled IN ARRAY ARRAY['nudge_policy', 'nudge_mute'] LOOP
    EXECUTE format('CALL rapport.raise_wall(%L)', walled);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO rapport_app', walled);
  END LOOP;
END $$;

-- Rows from before are looked at again at once, not after midnight.
RESET ROLE;
SET ROLE rapport_log;
UPDATE due SET due_at = now() WHERE task = 'rescore';
RESET ROLE;
RESET search_path;

-- migrate:down
