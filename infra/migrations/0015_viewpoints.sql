-- migrate:up

GRANT CREATE ON SCHEMA rapport TO rapport_log;
SET ROLE rapport_owner;
SET search_path = rapport, pg_temp;

-- A build may read no further than `ceiling`, and weigh by the model that the event at position `model` told.
ALTER TABLE checkpoint ADD ceiling bigint, ADD model bigint;

-- The past as it was seen at an instant, or the present under another model: builds of the projections under one number
-- below zero, kept while somebody looks at them. Without `true_at` they know what had been recorded up to `position`;
-- with it, of that, what had happened by then. `model` is one that is tried; `result` what became of
-- the trial.
CREATE TABLE viewpoint (
  tenant_id uuid NOT NULL REFERENCES tenant,
  build     int NOT NULL CHECK (build < 0),
  position  bigint NOT NULL,
  day       int NOT NULL,                          -- the UTC day looked from
  seen_from timestamptz NOT NULL,
  true_at   timestamptz,
  model     bytea,                                 -- JSON
  digest    bytea,                                 -- of the model
  result    bytea,                                 -- JSON
  used_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, build));
CREATE UNIQUE INDEX viewpoint_of ON viewpoint (tenant_id, position, day, true_at, digest) NULLS NOT DISTINCT;

DO $$
BEGIN
  CALL rapport.raise_wall('viewpoint');
  GRANT SELECT, INSERT, UPDATE, DELETE ON viewpoint TO rapport_app;
END $$;

INSERT INTO due (tenant_id, task, due_at) SELECT tenant_id, 'viewpoints', 'infinity' FROM tenant;

-- The build of a process that the running transaction looks at: of its viewpoint if it has one, else the live one.
CREATE OR REPLACE FUNCTION live_build(of_process text) RETURNS int LANGUAGE sql STABLE PARALLEL SAFE AS
'SELECT build FROM rapport.checkpoint
  WHERE tenant_id = rapport.current_tenant() AND process = of_process
    AND (live OR build = nullif(current_setting(''app.viewpoint'', true), '''')::int)
  ORDER BY build LIMIT 1';

RESET ROLE;
SET ROLE rapport_log;

CREATE OR REPLACE FUNCTION work_lags()
RETURNS TABLE (tenant_id uuid, process text, build int, live boolean, lag bigint, parked bigint, stalled boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = rapport, pg_temp AS
'SELECT c.tenant_id, c.process, c.build, c.live, least(h.position, c.ceiling) - c.position,
        (SELECT count(*) FROM parked_event p WHERE p.tenant_id = c.tenant_id AND p.process = c.process AND p.build = c.build),
        c.error IS NOT NULL
   FROM checkpoint c JOIN tenant_head h ON h.tenant_id = c.tenant_id';

RESET ROLE;
REVOKE CREATE ON SCHEMA rapport FROM rapport_log;
RESET search_path;

-- migrate:down
