-- migrate:up

GRANT CREATE ON SCHEMA rapport TO rapport_log;
SET ROLE rapport_owner;
SET search_path = rapport, pg_temp;

-- How far a process has read a tenant's log. A projection may have several builds: the live one, and one being made
-- beside it. `own_position` is the last event the process appended itself: it waits until those it follows have seen it.
-- One that failed as a whole says so in `error` and is tried again at `retry_at`, so that it does not hold up the others.
CREATE TABLE checkpoint (
  tenant_id    uuid NOT NULL REFERENCES tenant,
  process      text NOT NULL,
  build        int NOT NULL,
  position     bigint NOT NULL DEFAULT 0,
  own_position bigint NOT NULL DEFAULT 0,
  live         boolean NOT NULL,
  advanced_at  timestamptz NOT NULL DEFAULT now(),
  retry_at     timestamptz,
  error        text,
  PRIMARY KEY (tenant_id, process, build)) WITH (fillfactor = 50);
CREATE UNIQUE INDEX checkpoint_live ON checkpoint (tenant_id, process) WHERE live;

-- An event a projection could not take, and those of its stream that wait behind it. Tried again until it goes.
CREATE TABLE parked_event (
  tenant_id uuid NOT NULL,
  process   text NOT NULL,
  build     int NOT NULL,
  position  bigint NOT NULL,
  stream    text NOT NULL,
  type      text NOT NULL,
  error     text NOT NULL,
  tries     int NOT NULL DEFAULT 1,
  parked_at timestamptz NOT NULL DEFAULT now(),
  retry_at  timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, process, build, position),
  FOREIGN KEY (tenant_id, process, build) REFERENCES checkpoint ON DELETE CASCADE);
-- The first of a stream decides when it is tried again.
CREATE INDEX parked_stream ON parked_event (tenant_id, process, build, stream, position);

-- Periodic work, one row a tenant and task: when it is due next.
CREATE TABLE due (
  tenant_id uuid NOT NULL REFERENCES tenant,
  task      text NOT NULL,
  due_at    timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, task));

CREATE TABLE contact (
  tenant_id    uuid NOT NULL,
  build        int NOT NULL,
  contact_id   uuid NOT NULL,
  name         text,
  hint         text,
  locality     text,
  relation     text,
  known_since  date,
  how_often    text,
  how_close    text,
  stated_by    text,
  stated_at    timestamptz,
  within_reach text,
  closed       text,
  position     bigint NOT NULL,
  PRIMARY KEY (tenant_id, build, contact_id));

CREATE TABLE contact_identity (
  tenant_id  uuid NOT NULL,
  build      int NOT NULL,
  contact_id uuid NOT NULL,
  platform   text NOT NULL,
  handle     text NOT NULL,
  position   bigint NOT NULL,
  PRIMARY KEY (tenant_id, build, contact_id, platform, handle));

CREATE TABLE contact_interest (
  tenant_id     uuid NOT NULL,
  build         int NOT NULL,
  contact_id    uuid NOT NULL,
  topic         text NOT NULL,
  learned_at    text NOT NULL DEFAULT '',          -- a channel's slug; empty where nobody said
  in_confidence boolean NOT NULL,
  noted_at      timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, build, contact_id, topic, learned_at, in_confidence));

-- One row for each contact of a touchpoint. `position` and `struck_at_position` tell what was known at any position.
CREATE TABLE timeline (
  tenant_id          uuid NOT NULL,
  build              int NOT NULL,
  contact_id         uuid NOT NULL,
  touchpoint_id      uuid NOT NULL,
  position           bigint NOT NULL,
  occurred_at        timestamptz NOT NULL,
  kind               text NOT NULL,
  channel            text NOT NULL,
  direction          text NOT NULL,
  act                text,
  about              text,
  minutes            int,
  depth              smallint,
  audience           int,
  people             smallint NOT NULL,
  automated          boolean NOT NULL,
  topics             text[] NOT NULL,
  struck_at_position bigint,
  PRIMARY KEY (tenant_id, build, contact_id, touchpoint_id));
CREATE INDEX timeline_page ON timeline (tenant_id, build, contact_id, occurred_at DESC, touchpoint_id DESC);
-- Who was together: only touchpoints with several people can tell.
CREATE INDEX timeline_together ON timeline (tenant_id, build, touchpoint_id) WHERE people > 1;

CREATE TABLE relationship (
  tenant_id      uuid NOT NULL,
  build          int NOT NULL,
  contact_id     uuid NOT NULL,
  strength       bytea NOT NULL,                   -- the fold's state, msgpack
  facts          bytea NOT NULL,                   -- touches and first day by channel, msgpack
  channels       text[] NOT NULL,
  touchpoints    int NOT NULL,
  score          double precision NOT NULL,
  stage          smallint NOT NULL,
  half           text NOT NULL,
  met_at         timestamptz,
  first_touch_at timestamptz,
  last_touch_at  timestamptz,
  online_points  double precision NOT NULL,
  given          double precision NOT NULL,
  received       double precision NOT NULL,
  scored_day     int NOT NULL,                     -- UTC day the score is as of
  folded_to      bigint NOT NULL,                  -- position in the log; may be ahead of the build's checkpoint
  PRIMARY KEY (tenant_id, build, contact_id));
CREATE INDEX relationship_by_score ON relationship (tenant_id, build, score DESC, contact_id);
CREATE INDEX relationship_by_half ON relationship (tenant_id, build, half, score DESC, contact_id);

-- A channel and what was done there. Counts are of unstruck touchpoints.
CREATE TABLE channel (
  tenant_id   uuid NOT NULL,
  build       int NOT NULL,
  slug        text NOT NULL,
  name        text NOT NULL,
  realm       text NOT NULL,
  role        text NOT NULL,
  access      text NOT NULL,
  topics      text[] NOT NULL,
  sensitive   boolean NOT NULL,
  touchpoints bigint NOT NULL DEFAULT 0,
  posts       bigint NOT NULL DEFAULT 0,           -- addressed to nobody in particular
  reach       bigint NOT NULL DEFAULT 0,           -- sum of the audiences of those
  gives       bigint NOT NULL DEFAULT 0,           -- our own acts
  promotes    bigint NOT NULL DEFAULT 0,
  position    bigint NOT NULL,
  PRIMARY KEY (tenant_id, build, slug));

CREATE TABLE nudge (
  tenant_id      uuid NOT NULL,
  build          int NOT NULL,
  nudge_id       uuid NOT NULL,
  contact_id     uuid NOT NULL,
  kind           text NOT NULL,
  state          text NOT NULL,
  priority       smallint NOT NULL,
  numbers        bytea NOT NULL,                   -- JSON
  touchpoint_ids uuid[] NOT NULL,
  question       text,
  suggested_at   timestamptz NOT NULL,
  expires_at     timestamptz NOT NULL,
  snoozed_until  timestamptz,
  ended_at       timestamptz,
  done_by        uuid,
  position       bigint NOT NULL,
  PRIMARY KEY (tenant_id, build, nudge_id));
CREATE INDEX nudge_page ON nudge (tenant_id, build, suggested_at DESC, nudge_id DESC);
CREATE INDEX nudge_contact ON nudge (tenant_id, build, contact_id);

DO $$
DECLARE walled text;
BEGIN
  FOREACH walled IN ARRAY ARRAY['checkpoint', 'parked_event', 'due', 'contact', 'contact_identity', 'contact_interest',
                                'timeline', 'relationship', 'channel', 'nudge'] LOOP
    EXECUTE format('CALL rapport.raise_wall(%L)', walled);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO rapport_app', walled);
  END LOOP;
END $$;
GRANT SELECT, UPDATE ON checkpoint, due TO rapport_log;
GRANT SELECT ON parked_event TO rapport_log;

-- The live build of a process of the running transaction's tenant.
CREATE FUNCTION live_build(of_process text) RETURNS int LANGUAGE sql STABLE PARALLEL SAFE AS
'SELECT build FROM rapport.checkpoint WHERE tenant_id = rapport.current_tenant() AND process = of_process AND live';
GRANT EXECUTE ON FUNCTION live_build(text) TO rapport_app;

-- One (tenant, process, build) that is behind what it follows, locked to the end of the transaction, which then sets
-- that tenant. The arrays say side by side which process follows which; one that follows nothing reads to the head.
-- The one that waited longest comes first, so no tenant starves another. While what it follows has itself a long way to
-- go, a follower lets it go ahead: what it folds again it then folds once.
CREATE FUNCTION claim_work(followers text[], followed text[])
RETURNS TABLE (tenant_id uuid, process text, build int, from_position bigint, to_position bigint, live boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = rapport, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  WITH target AS MATERIALIZED (
    SELECT c.tenant_id, c.process, c.build, c.position, c.own_position, c.advanced_at, h.position AS head,
           least(h.position, (SELECT min(d.position) FROM checkpoint d
                               WHERE d.tenant_id = c.tenant_id AND d.live
                                 AND d.process IN (SELECT e.followed FROM unnest(followers, followed) AS e (follower, followed)
                                                    WHERE e.follower = c.process))) AS reach
      FROM tenant_head h JOIN checkpoint c ON c.tenant_id = h.tenant_id AND c.position < h.position)
  SELECT c.tenant_id, c.process, c.build, c.position, t.reach, c.live
    FROM target t JOIN checkpoint c ON c.tenant_id = t.tenant_id AND c.process = t.process AND c.build = t.build
   WHERE t.reach > t.position AND t.reach >= t.own_position AND c.position = t.position
     AND (t.head - t.reach <= 2000 OR t.reach - t.position >= 20000)
     AND (c.retry_at IS NULL OR c.retry_at <= now())
   ORDER BY t.advanced_at LIMIT 1 FOR UPDATE OF c SKIP LOCKED;
END $$;

-- One piece of periodic work that is due, locked likewise.
CREATE FUNCTION claim_due() RETURNS TABLE (tenant_id uuid, task text, due_at timestamptz)
LANGUAGE sql SECURITY DEFINER SET search_path = rapport, pg_temp AS
'SELECT d.tenant_id, d.task, d.due_at FROM due d WHERE d.due_at <= now() ORDER BY d.due_at LIMIT 1 FOR UPDATE SKIP LOCKED';

-- One build with a stream whose first parked event is due, locked likewise.
CREATE FUNCTION claim_parked() RETURNS TABLE (tenant_id uuid, process text, build int)
LANGUAGE sql SECURITY DEFINER SET search_path = rapport, pg_temp AS
'SELECT c.tenant_id, c.process, c.build
   FROM (SELECT DISTINCT ON (p.tenant_id, p.process, p.build, p.stream) p.tenant_id, p.process, p.build, p.retry_at
           FROM parked_event p ORDER BY p.tenant_id, p.process, p.build, p.stream, p.position) first
   JOIN checkpoint c ON c.tenant_id = first.tenant_id AND c.process = first.process AND c.build = first.build
  WHERE first.retry_at <= now() ORDER BY first.retry_at LIMIT 1 FOR UPDATE OF c SKIP LOCKED';

-- How far everything is behind, for metrics and `status`: ids and numbers only. `stalled`: it failed as a whole.
CREATE FUNCTION work_lags()
RETURNS TABLE (tenant_id uuid, process text, build int, live boolean, lag bigint, parked bigint, stalled boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = rapport, pg_temp AS
'SELECT c.tenant_id, c.process, c.build, c.live, h.position - c.position,
        (SELECT count(*) FROM parked_event p WHERE p.tenant_id = c.tenant_id AND p.process = c.process AND p.build = c.build),
        c.error IS NOT NULL
   FROM checkpoint c JOIN tenant_head h ON h.tenant_id = c.tenant_id';

RESET ROLE;
ALTER FUNCTION rapport.claim_work OWNER TO rapport_log;
ALTER FUNCTION rapport.claim_due OWNER TO rapport_log;
ALTER FUNCTION rapport.claim_parked OWNER TO rapport_log;
ALTER FUNCTION rapport.work_lags OWNER TO rapport_log;
REVOKE ALL ON FUNCTION rapport.claim_work, rapport.claim_due, rapport.claim_parked, rapport.work_lags FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rapport.claim_work, rapport.claim_due, rapport.claim_parked, rapport.work_lags TO rapport_app;
REVOKE CREATE ON SCHEMA rapport FROM rapport_log;
RESET search_path;

-- migrate:down
