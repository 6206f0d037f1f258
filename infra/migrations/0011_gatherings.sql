-- migrate:up

GRANT CREATE ON SCHEMA rapport TO rapport_log;
SET ROLE rapport_owner;
SET search_path = rapport, pg_temp;

-- A gathering as it stands. When it takes place is worked out from its schedule.
CREATE TABLE gathering (
  tenant_id        uuid NOT NULL,
  build            int NOT NULL,
  gathering_id     uuid NOT NULL,
  schedule         bytea NOT NULL,                 -- JSON: plans, changes of single occurrences, its end
  link_id          uuid,
  token_digest     text,                           -- of the public page's address, while there is one
  over_at          timestamptz,                    -- the end of the last one; null: there is no last one
  planned_position bigint NOT NULL,
  position         bigint NOT NULL,                -- of its last fact
  PRIMARY KEY (tenant_id, build, gathering_id));
CREATE INDEX gathering_page ON gathering (tenant_id, build, planned_position DESC);
-- A guest shows the address before anybody knows its tenant.
CREATE INDEX gathering_shown ON gathering (token_digest) WHERE token_digest IS NOT NULL;

-- Who entered themselves. What they wrote lies sealed in the log.
CREATE TABLE gathering_guest (
  tenant_id    uuid NOT NULL,
  build        int NOT NULL,
  gathering_id uuid NOT NULL,
  contact_id   uuid NOT NULL,
  entered_at   timestamptz NOT NULL,
  position     bigint NOT NULL,
  PRIMARY KEY (tenant_id, build, gathering_id, contact_id));
CREATE INDEX gathering_guest_page ON gathering_guest (tenant_id, build, gathering_id, position);

-- Who was there, by the day the occurrence was planned for, and which touchpoint that is. Taken back, the row is gone.
CREATE TABLE gathering_attendance (
  tenant_id     uuid NOT NULL,
  build         int NOT NULL,
  gathering_id  uuid NOT NULL,
  occurrence    date NOT NULL,
  contact_id    uuid NOT NULL,
  met           boolean NOT NULL,
  touchpoint_id uuid NOT NULL,
  came_at       timestamptz NOT NULL,
  position      bigint NOT NULL,
  PRIMARY KEY (tenant_id, build, gathering_id, occurrence, contact_id));
-- A touchpoint that is struck may be one's.
CREATE INDEX gathering_attendance_touchpoint ON gathering_attendance (tenant_id, build, touchpoint_id);

-- How often a public page was filled in since a time.
CREATE TABLE gathering_entries (
  tenant_id    uuid NOT NULL,
  gathering_id uuid NOT NULL,
  since        timestamptz NOT NULL,
  entries      int NOT NULL,
  PRIMARY KEY (tenant_id, gathering_id));

DO $$
DECLARE walled text;
BEGIN
  FOREACH walled IN ARRAY ARRAY['gathering', 'gathering_guest', 'gathering_attendance', 'gathering_entries'] LOOP
    EXECUTE format('CALL rapport.raise_wall(%L)', walled);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO rapport_app', walled);
  END LOOP;
END $$;
GRANT SELECT ON gathering TO rapport_log;

-- Whose page it is that a guest opened.
CREATE FUNCTION gathering_of_token(shown_digest text) RETURNS TABLE (tenant_id uuid, gathering_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = rapport, pg_temp AS
'SELECT g.tenant_id, g.gathering_id
   FROM gathering g JOIN checkpoint c ON c.tenant_id = g.tenant_id AND c.process = ''gatherings'' AND c.build = g.build AND c.live
  WHERE g.token_digest = shown_digest';

-- Tenants that are there already get the projection too.
GRANT INSERT ON checkpoint TO rapport_log;
SET ROLE rapport_log;
INSERT INTO checkpoint (tenant_id, process, build, live) SELECT tenant_id, 'gatherings', 1, true FROM tenant;
SET ROLE rapport_owner;
REVOKE INSERT ON checkpoint FROM rapport_log;

RESET ROLE;
ALTER FUNCTION rapport.gathering_of_token OWNER TO rapport_log;
REVOKE ALL ON FUNCTION rapport.gathering_of_token FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rapport.gathering_of_token TO rapport_app;
REVOKE CREATE ON SCHEMA rapport FROM rapport_log;
RESET search_path;

-- migrate:down
