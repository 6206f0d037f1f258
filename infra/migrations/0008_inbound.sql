-- migrate:up

GRANT CREATE ON SCHEMA rapport TO rapport_log;
SET ROLE rapport_owner;
SET search_path = rapport, pg_temp;

-- Who sends webhooks to a tenant. Of the token in its address only the digest is kept; secrets and settings are sealed
-- under the tenant's key. A deleted one stays for its messages.
CREATE TABLE webhook_source (
  tenant_id    uuid NOT NULL REFERENCES tenant,
  source_id    uuid NOT NULL,
  name         text NOT NULL,
  adapter      text NOT NULL,
  scheme       text NOT NULL,
  token_digest bytea NOT NULL,
  secrets      bytea NOT NULL,
  settings     bytea NOT NULL,
  mapping      text,
  state        text NOT NULL CHECK (state IN ('active', 'paused')),
  added_at     timestamptz NOT NULL DEFAULT now(),
  deleted_at   timestamptz,
  PRIMARY KEY (tenant_id, source_id));
-- A message shows its token before anybody knows its tenant.
CREATE INDEX webhook_source_shown ON webhook_source (token_digest) WHERE deleted_at IS NULL;

-- What came in, once for each id of its sender. Content and headers are sealed under the tenant's key. What is received
-- is taken up by a worker at `due_at`, should the process that received it not have come to its end; never while paused.
CREATE TABLE inbox (
  tenant_id       uuid NOT NULL,
  message_id      uuid NOT NULL,
  source_id       uuid NOT NULL,
  sender_id       text NOT NULL,                   -- the sender's id of the message, or the digest of its content
  digest          bytea NOT NULL,
  received_at     timestamptz NOT NULL DEFAULT now(),
  state           text NOT NULL CHECK (state IN ('received', 'recorded', 'nothing', 'quarantined', 'dropped')),
  reason          text,
  due_at          timestamptz,
  attempts        smallint NOT NULL DEFAULT 0,
  content         bytea NOT NULL,
  touchpoint_ids  uuid[] NOT NULL DEFAULT '{}',
  appointment_ids uuid[] NOT NULL DEFAULT '{}',
  position        bigint,
  PRIMARY KEY (tenant_id, message_id),
  FOREIGN KEY (tenant_id, source_id) REFERENCES webhook_source);
CREATE UNIQUE INDEX inbox_once ON inbox (tenant_id, source_id, sender_id);
CREATE INDEX inbox_received ON inbox (tenant_id, due_at) WHERE state = 'received';
CREATE INDEX inbox_page ON inbox (tenant_id, received_at DESC, message_id DESC);
CREATE INDEX inbox_quarantined ON inbox (tenant_id, source_id, received_at DESC) WHERE state = 'quarantined';

-- Who changed a source, and how: never changed itself.
CREATE TABLE source_audit (
  tenant_id uuid NOT NULL,
  audit_id  uuid NOT NULL,
  source_id uuid NOT NULL,
  at        timestamptz NOT NULL DEFAULT now(),
  actor     text NOT NULL,
  act       text NOT NULL,
  PRIMARY KEY (tenant_id, audit_id));
CREATE INDEX source_audit_of ON source_audit (tenant_id, source_id, audit_id);

CALL raise_wall('webhook_source');
CALL raise_wall('inbox');
CALL raise_wall('source_audit');
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_source, inbox TO rapport_app;
GRANT SELECT, INSERT ON source_audit TO rapport_app;
GRANT SELECT ON webhook_source TO rapport_log;
GRANT SELECT, UPDATE ON inbox TO rapport_log;

-- Whose address it is that a message came to.
CREATE FUNCTION source_of_token(shown_digest bytea) RETURNS TABLE (tenant_id uuid, source_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = rapport, pg_temp AS
'SELECT s.tenant_id, s.source_id FROM webhook_source s WHERE s.token_digest = shown_digest AND s.deleted_at IS NULL';

-- One message to be taken up, locked to the end of the transaction, which then sets that tenant.
CREATE FUNCTION claim_message() RETURNS TABLE (tenant_id uuid, message_id uuid)
LANGUAGE sql SECURITY DEFINER SET search_path = rapport, pg_temp AS
'SELECT i.tenant_id, i.message_id FROM inbox i WHERE i.state = ''received'' AND i.due_at <= now()
  ORDER BY i.due_at LIMIT 1 FOR UPDATE SKIP LOCKED';

RESET ROLE;
ALTER FUNCTION rapport.source_of_token OWNER TO rapport_log;
ALTER FUNCTION rapport.claim_message OWNER TO rapport_log;
REVOKE ALL ON FUNCTION rapport.source_of_token, rapport.claim_message FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rapport.source_of_token, rapport.claim_message TO rapport_app;
REVOKE CREATE ON SCHEMA rapport FROM rapport_log;
RESET search_path;

-- migrate:down
