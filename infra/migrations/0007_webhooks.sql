-- migrate:up

GRANT CREATE ON SCHEMA rapport TO rapport_log;
SET ROLE rapport_owner;
SET search_path = rapport, pg_temp;

-- Where a tenant's webhooks go. Headers and secrets are sealed under the tenant's key. A deleted one stays for its log.
CREATE TABLE webhook_endpoint (
  tenant_id      uuid NOT NULL REFERENCES tenant,
  endpoint_id    uuid NOT NULL,
  url            text NOT NULL,
  types          text[] NOT NULL,
  body           text NOT NULL CHECK (body IN ('thin', 'full')),
  ordered        boolean NOT NULL,
  at_once        smallint NOT NULL,
  headers        bytea NOT NULL,
  secrets        bytea NOT NULL,
  description    text NOT NULL,
  state          text NOT NULL CHECK (state IN ('active', 'paused', 'disabled')),
  reason         text,                             -- why it is disabled
  after_position bigint NOT NULL,                  -- it is told what came later
  replays        int NOT NULL DEFAULT 0,           -- asked for so far; each has its number
  added_at       timestamptz NOT NULL DEFAULT now(),
  deleted_at     timestamptz,
  PRIMARY KEY (tenant_id, endpoint_id));

-- How sending to an endpoint goes. `next_due` is when to look at it again, and never later than its first due row.
CREATE TABLE webhook_lane (
  tenant_id     uuid NOT NULL,
  endpoint_id   uuid NOT NULL,
  open          boolean NOT NULL,                  -- the endpoint is active
  next_due      timestamptz,
  served_at     timestamptz NOT NULL DEFAULT '-infinity',
  probe_at      timestamptz,                       -- the breaker is open: one probe then
  breaker       bytea NOT NULL DEFAULT '',         -- the rest of it, JSON
  failing_since timestamptz,
  failures      int NOT NULL DEFAULT 0,
  warned        boolean NOT NULL DEFAULT false,
  delivered_at  timestamptz,
  PRIMARY KEY (tenant_id, endpoint_id),
  FOREIGN KEY (tenant_id, endpoint_id) REFERENCES webhook_endpoint) WITH (fillfactor = 50);

-- One event on its way to one endpoint. Each replay has rows of its own; the webhook's id is the event's each time.
-- `content` is what is sent, byte for byte, sealed under the tenant's key: made at the first attempt.
CREATE TABLE webhook_delivery (
  tenant_id   uuid NOT NULL,
  delivery_id uuid NOT NULL,
  endpoint_id uuid NOT NULL,
  event_id    uuid NOT NULL,
  position    bigint NOT NULL,                     -- 0 for a test
  type        text NOT NULL,
  replay_no   int NOT NULL DEFAULT 0,
  test        boolean NOT NULL DEFAULT false,      -- sent once, in no statistics
  state       text NOT NULL CHECK (state IN ('waiting', 'sending', 'delivered', 'exhausted', 'cancelled')),
  attempts    smallint NOT NULL DEFAULT 0,
  due_at      timestamptz NOT NULL,
  lease       uuid,
  lease_until timestamptz,
  content     bytea,
  queued_at   timestamptz NOT NULL DEFAULT now(),
  ended_at    timestamptz,
  PRIMARY KEY (tenant_id, delivery_id)) WITH (fillfactor = 80);
CREATE UNIQUE INDEX webhook_delivery_once ON webhook_delivery (tenant_id, endpoint_id, event_id, replay_no);
-- What is open, in the order in which it is taken: what happened before what is replayed.
CREATE INDEX webhook_delivery_waiting ON webhook_delivery (tenant_id, endpoint_id, (replay_no > 0), due_at) WHERE state = 'waiting';
CREATE INDEX webhook_delivery_sending ON webhook_delivery (tenant_id, endpoint_id, lease_until) WHERE state = 'sending';
CREATE INDEX webhook_delivery_open ON webhook_delivery (tenant_id, endpoint_id, replay_no, position) WHERE state IN ('waiting', 'sending');
CREATE INDEX webhook_delivery_page ON webhook_delivery (tenant_id, queued_at DESC, delivery_id DESC);
CREATE INDEX webhook_delivery_of_replay ON webhook_delivery (tenant_id, endpoint_id, replay_no, state) WHERE replay_no > 0;
CREATE INDEX webhook_delivery_of ON webhook_delivery (tenant_id, endpoint_id, queued_at DESC, delivery_id DESC);

-- What was sent and what came back, once for each attempt. Request and answer are sealed under the tenant's key.
CREATE TABLE webhook_attempt (
  tenant_id    uuid NOT NULL,
  delivery_id  uuid NOT NULL,
  number       smallint NOT NULL,
  endpoint_id  uuid NOT NULL,
  started_at   timestamptz NOT NULL,
  milliseconds int,
  status       smallint,
  failure      text,
  counts       boolean NOT NULL,                   -- not: our own fault
  test         boolean NOT NULL,
  request      bytea NOT NULL,
  answer       bytea,
  PRIMARY KEY (tenant_id, delivery_id, number),
  FOREIGN KEY (tenant_id, delivery_id) REFERENCES webhook_delivery ON DELETE CASCADE);
CREATE INDEX webhook_attempt_hours ON webhook_attempt (tenant_id, endpoint_id, started_at);

-- What is asked for again: filled into deliveries little by little by the workers.
CREATE TABLE webhook_replay (
  tenant_id   uuid NOT NULL,
  replay_id   uuid NOT NULL,
  endpoint_id uuid NOT NULL,
  replay_no   int NOT NULL,
  types       text[] NOT NULL,
  position    bigint NOT NULL,                     -- so far
  first       bigint NOT NULL,                     -- it began behind this one
  through     bigint NOT NULL,                     -- and ends with this one
  failed_since timestamptz,                         -- only what failed since then
  queued      bigint NOT NULL DEFAULT 0,
  asked_at    timestamptz NOT NULL DEFAULT now(),
  ended_at    timestamptz,
  PRIMARY KEY (tenant_id, replay_id),
  FOREIGN KEY (tenant_id, endpoint_id) REFERENCES webhook_endpoint);
CREATE UNIQUE INDEX webhook_replay_number ON webhook_replay (tenant_id, endpoint_id, replay_no);

-- Who changed an endpoint, and how: never changed itself.
CREATE TABLE webhook_audit (
  tenant_id   uuid NOT NULL,
  audit_id    uuid NOT NULL,
  endpoint_id uuid NOT NULL,
  at          timestamptz NOT NULL DEFAULT now(),
  actor       text NOT NULL,
  act         text NOT NULL,
  PRIMARY KEY (tenant_id, audit_id));
CREATE INDEX webhook_audit_of ON webhook_audit (tenant_id, endpoint_id, audit_id);

-- What was answered to a request with an Idempotency-Key, sealed under the tenant's key: of acts that leave plain rows.
CREATE TABLE request (
  tenant_id   uuid NOT NULL REFERENCES tenant,
  request_id  uuid NOT NULL,
  fingerprint bytea NOT NULL,
  answer      bytea,
  asked_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, request_id));

DO $$
DECLARE walled text;
BEGIN
  FOREACH walled IN ARRAY ARRAY['webhook_endpoint', 'webhook_lane', 'webhook_delivery', 'webhook_attempt',
                                'webhook_replay', 'request'] LOOP
    EXECUTE format('CALL rapport.raise_wall(%L)', walled);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO rapport_app', walled);
  END LOOP;
END $$;
CALL raise_wall('webhook_audit');
GRANT SELECT, INSERT ON webhook_audit TO rapport_app;
GRANT SELECT, UPDATE ON webhook_lane TO rapport_log;
GRANT SELECT, UPDATE ON webhook_replay TO rapport_log;

-- One endpoint to be looked at, locked to the end of the transaction, which then sets that tenant: the tenant that waited
-- longest comes first, and of its endpoints the one that did. Passed over are tenants that have enough under way.
CREATE FUNCTION claim_lane(passed_over uuid[]) RETURNS TABLE (tenant_id uuid, endpoint_id uuid)
LANGUAGE sql SECURITY DEFINER SET search_path = rapport, pg_temp AS
'WITH due AS MATERIALIZED (
   SELECT l.tenant_id, l.endpoint_id, l.served_at,
          (SELECT max(o.served_at) FROM webhook_lane o WHERE o.tenant_id = l.tenant_id) AS tenant_served_at
     FROM webhook_lane l
    WHERE l.open AND l.tenant_id <> ALL (passed_over) AND l.next_due <= now() AND (l.probe_at IS NULL OR l.probe_at <= now()))
 SELECT l.tenant_id, l.endpoint_id
   FROM due JOIN webhook_lane l ON l.tenant_id = due.tenant_id AND l.endpoint_id = due.endpoint_id
  WHERE l.served_at = due.served_at
  ORDER BY due.tenant_served_at, due.served_at LIMIT 1 FOR UPDATE OF l SKIP LOCKED';

-- The next moment at which a lane wants to be looked at; nothing where none does.
CREATE FUNCTION next_lane_due() RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = rapport, pg_temp AS
'SELECT min(greatest(l.next_due, l.probe_at)) FROM webhook_lane l WHERE l.open';

-- One replay to be filled, locked likewise.
CREATE FUNCTION claim_replay() RETURNS TABLE (tenant_id uuid, replay_id uuid)
LANGUAGE sql SECURITY DEFINER SET search_path = rapport, pg_temp AS
'SELECT r.tenant_id, r.replay_id FROM webhook_replay r WHERE r.ended_at IS NULL ORDER BY r.asked_at LIMIT 1 FOR UPDATE SKIP LOCKED';

RESET ROLE;
ALTER FUNCTION rapport.claim_lane OWNER TO rapport_log;
ALTER FUNCTION rapport.next_lane_due OWNER TO rapport_log;
ALTER FUNCTION rapport.claim_replay OWNER TO rapport_log;
REVOKE ALL ON FUNCTION rapport.claim_lane, rapport.next_lane_due, rapport.claim_replay FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rapport.claim_lane, rapport.next_lane_due, rapport.claim_replay TO rapport_app;
REVOKE CREATE ON SCHEMA rapport FROM rapport_log;
INSERT INTO rapport.checkpoint (tenant_id, process, build, position, live)
SELECT h.tenant_id, 'webhooks', 1, h.position, true FROM rapport.tenant_head h;
INSERT INTO rapport.due (tenant_id, task, due_at) SELECT h.tenant_id, 'forget', now() FROM rapport.tenant_head h;
RESET search_path;

-- migrate:down
