-- migrate:up

SET ROLE rapport_owner;
SET search_path = rapport, pg_temp;

-- An appointment as it stands. `state` is planned until somebody, or its touchpoint, said what became of it.
CREATE TABLE appointment (
  tenant_id       uuid NOT NULL,
  build           int NOT NULL,
  appointment_id  uuid NOT NULL,
  state           text NOT NULL,
  starts_at       timestamptz NOT NULL,
  ends_at         timestamptz NOT NULL,
  channel         text NOT NULL,
  kind            text NOT NULL,
  touchpoint_id   uuid NOT NULL,                   -- that it became last, or would become
  source          text,
  source_id       text,
  by              text,                            -- who called it off, or did not come
  plan_position   bigint NOT NULL,                 -- of the fact with the plan and its sealed note
  position        bigint NOT NULL,                 -- of its last fact
  PRIMARY KEY (tenant_id, build, appointment_id));
CREATE INDEX appointment_page ON appointment (tenant_id, build, starts_at, appointment_id);
-- What is to come and what waits for an answer lies at the end of a long past.
CREATE INDEX appointment_open ON appointment (tenant_id, build, starts_at, appointment_id) WHERE state = 'planned';
-- A touchpoint that is recorded or struck may be one's.
CREATE INDEX appointment_touchpoint ON appointment (tenant_id, build, touchpoint_id);

-- With whom it is planned, in order, and who came: not said, yes, no. Some come without a plan.
CREATE TABLE appointment_person (
  tenant_id      uuid NOT NULL,
  build          int NOT NULL,
  appointment_id uuid NOT NULL,
  contact_id     uuid NOT NULL,
  place          smallint NOT NULL,
  planned        boolean NOT NULL,
  came           boolean,
  PRIMARY KEY (tenant_id, build, appointment_id, contact_id));
CREATE INDEX appointment_person_contact ON appointment_person (tenant_id, build, contact_id, appointment_id);

CALL raise_wall('appointment');
CALL raise_wall('appointment_person');
GRANT SELECT, INSERT, UPDATE, DELETE ON appointment, appointment_person TO rapport_app;

-- Tenants that are there already get the projection too.
GRANT INSERT ON checkpoint TO rapport_log;
SET ROLE rapport_log;
INSERT INTO checkpoint (tenant_id, process, build, live) SELECT tenant_id, 'appointments', 1, true FROM tenant;
SET ROLE rapport_owner;
REVOKE INSERT ON checkpoint FROM rapport_log;

RESET ROLE;
RESET search_path;

-- migrate:down
