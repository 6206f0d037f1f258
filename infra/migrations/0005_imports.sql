-- migrate:up

GRANT CREATE ON SCHEMA rapport TO rapport_log;
SET ROLE rapport_owner;
SET search_path = rapport, pg_temp;

-- The positions from which to which a touchpoint that counts again did not count.
ALTER TABLE timeline ADD COLUMN struck_before int8multirange NOT NULL DEFAULT '{}';

-- Contacts taken out of lists when their import was undone; back again when something was said of them later.
CREATE TABLE removed_contact (
  tenant_id           uuid NOT NULL,
  build               int NOT NULL,
  contact_id          uuid NOT NULL,
  removed_at_position bigint NOT NULL,
  seen_at_position    bigint NOT NULL,
  PRIMARY KEY (tenant_id, build, contact_id));

-- A file somebody brought, what was decided about it, and how far it has come: `through_row` is the last row gone through in
-- the present state, `position` the log's last position with something of it. Of several workers one works on it, as
-- long as it comes back before `taken_until`; `due_at` is when there is something to do, also when that is to forget it.
CREATE TABLE import (
  tenant_id   uuid NOT NULL REFERENCES tenant,
  import_id   uuid NOT NULL,
  format      text NOT NULL,
  file_name   text NOT NULL,
  size        bigint NOT NULL,
  sha256      bytea NOT NULL,
  started_by  text NOT NULL,
  state       text NOT NULL,
  unsure      text NOT NULL DEFAULT 'wait',        -- what becomes of people who are neither business nor private
  through_row bigint NOT NULL DEFAULT 0,
  rows        bigint,                              -- of the file, once it was read
  recorded    bigint NOT NULL DEFAULT 0,
  known       bigint NOT NULL DEFAULT 0,
  skipped     bigint NOT NULL DEFAULT 0,
  rejected    bigint NOT NULL DEFAULT 0,
  waiting     bigint NOT NULL DEFAULT 0,
  private     bigint NOT NULL DEFAULT 0,
  undone      bigint NOT NULL DEFAULT 0,
  position    bigint NOT NULL DEFAULT 0,
  told        bytea,                               -- sealed JSON: who may be us in it, its first rows
  brought_at  timestamptz NOT NULL DEFAULT now(),
  since       timestamptz NOT NULL DEFAULT now(),  -- of the present state
  ended_at    timestamptz,
  error       text,
  tries       int NOT NULL DEFAULT 0,
  taken_by    uuid,
  taken_until timestamptz,
  due_at      timestamptz,
  PRIMARY KEY (tenant_id, import_id)) WITH (fillfactor = 50);
CREATE INDEX import_due ON import (tenant_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX import_file ON import (tenant_id, sha256);

-- The file, in pieces of 1 MB sealed under the tenant's key, until the import has ended.
CREATE TABLE import_chunk (
  tenant_id uuid NOT NULL,
  import_id uuid NOT NULL,
  number    int NOT NULL,
  sealed    bytea NOT NULL,
  PRIMARY KEY (tenant_id, import_id, number),
  FOREIGN KEY (tenant_id, import_id) REFERENCES import ON DELETE CASCADE);
ALTER TABLE import_chunk ALTER COLUMN sealed SET STORAGE EXTERNAL;

-- What became of each row. `fact_id` is its touchpoint, contact or appointment; `sealed` an excerpt of a row that was not
-- recorded, and the whole of one that waits. Both are forgotten with time.
CREATE TABLE import_row (
  tenant_id uuid NOT NULL,
  import_id uuid NOT NULL,
  row       bigint NOT NULL,
  line      bigint NOT NULL,
  member    text,                                  -- the file in an archive
  outcome   text NOT NULL,
  kind      text,
  fact_id   uuid,
  people    uuid[] NOT NULL DEFAULT '{}',
  reason    text,
  col       bigint,
  field     text,
  sealed    bytea,
  PRIMARY KEY (tenant_id, import_id, row),
  FOREIGN KEY (tenant_id, import_id) REFERENCES import ON DELETE CASCADE);
CREATE INDEX import_row_outcome ON import_row (tenant_id, import_id, outcome, row);
CREATE INDEX import_row_fact ON import_row (tenant_id, import_id, fact_id) WHERE fact_id IS NOT NULL;

-- The people a file names, sorted before anything of it is recorded. Who they are stands in `sealed`, and is gone when
-- it is no more needed; `platforms` and `handles` (digests) are their identities, side by side.
CREATE TABLE import_person (
  tenant_id   uuid NOT NULL,
  import_id   uuid NOT NULL,
  person_id   uuid NOT NULL,
  platforms   text[] NOT NULL,
  handles     bytea[] NOT NULL,
  rows        bigint NOT NULL,
  signs       text[] NOT NULL,
  name_digest bytea,
  sealed      bytea,
  sort        text,
  reason      text,
  contact_id  uuid,                                -- who has one of these identities already
  like_id     uuid,                                -- a contact of the same name, without any of these identities
  like_person uuid,                                -- likewise, another person of the file
  PRIMARY KEY (tenant_id, import_id, person_id),
  FOREIGN KEY (tenant_id, import_id) REFERENCES import ON DELETE CASCADE);
CREATE INDEX import_person_name ON import_person (tenant_id, import_id, name_digest);
CREATE INDEX import_person_sort ON import_person (tenant_id, import_id, sort, person_id);

-- The contacts that rows of an import were about: whom its undo may have to remove.
CREATE TABLE import_contact (
  tenant_id  uuid NOT NULL,
  import_id  uuid NOT NULL,
  contact_id uuid NOT NULL,
  looked_at  boolean NOT NULL DEFAULT false,
  PRIMARY KEY (tenant_id, import_id, contact_id),
  FOREIGN KEY (tenant_id, import_id) REFERENCES import ON DELETE CASCADE);

-- Private people, as digests of their identities: no import ever records them.
CREATE TABLE skip_list (
  tenant_id uuid NOT NULL REFERENCES tenant,
  platform  text NOT NULL,
  handle    bytea NOT NULL,
  added_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, platform, handle));

-- The business's own identities, asked once: who is "us" in a file. `sealed` is the handle itself.
CREATE TABLE own_identity (
  tenant_id uuid NOT NULL REFERENCES tenant,
  platform  text NOT NULL,
  handle    bytea NOT NULL,
  sealed    bytea NOT NULL,
  added_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, platform, handle));

DO $$
DECLARE walled text;
BEGIN
  FOREACH walled IN ARRAY ARRAY['removed_contact', 'import', 'import_chunk', 'import_row', 'import_person', 'import_contact',
                                'skip_list', 'own_identity'] LOOP
    EXECUTE format('CALL rapport.raise_wall(%L)', walled);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO rapport_app', walled);
  END LOOP;
END $$;
-- As `raise_wall` has it for tenants: what the planner is to expect of an import before the tables were ever analysed.
SELECT pg_restore_attribute_stats('schemaname', 'rapport', 'relname', c.relname::text, 'attname', a.attname::text,
                                  'inherited', false, 'null_frac', 0::real, 'avg_width', 16, 'n_distinct',
                                  CASE a.attname WHEN 'import_id' THEN 10 WHEN 'outcome' THEN 3 WHEN 'sort' THEN 3 ELSE -0.9 END::real)
  FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid
                     AND a.attname IN ('import_id', 'outcome', 'sort', 'row', 'fact_id', 'person_id', 'name_digest', 'contact_id', 'number')
 WHERE c.relnamespace = 'rapport'::regnamespace
   AND c.relname IN ('import_chunk', 'import_row', 'import_person', 'import_contact', 'removed_contact');
GRANT SELECT, UPDATE ON import TO rapport_log;

-- One import with something to do, locked to the end of the transaction, which then enters its tenant. The one that
-- waited longest comes first; one that another worker has taken is left to it until `taken_until`.
CREATE FUNCTION claim_import(worker uuid) RETURNS TABLE (tenant_id uuid, import_id uuid)
LANGUAGE sql SECURITY DEFINER SET search_path = rapport, pg_temp AS
'SELECT i.tenant_id, i.import_id FROM import i
  WHERE i.due_at <= now() AND (i.taken_by = worker OR i.taken_until IS NULL OR i.taken_until < now())
  ORDER BY i.due_at LIMIT 1 FOR UPDATE SKIP LOCKED';

RESET ROLE;
ALTER FUNCTION rapport.claim_import OWNER TO rapport_log;
REVOKE ALL ON FUNCTION rapport.claim_import FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rapport.claim_import TO rapport_app;
REVOKE CREATE ON SCHEMA rapport FROM rapport_log;
RESET search_path;

-- migrate:down
