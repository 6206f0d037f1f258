-- migrate:up

-- Roles belong to the cluster, so another database of it may have made them already.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rapport_owner') THEN CREATE ROLE rapport_owner NOLOGIN; END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rapport_log') THEN CREATE ROLE rapport_log NOLOGIN; END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rapport_app') THEN CREATE ROLE rapport_app LOGIN; END IF;
  EXECUTE format('GRANT rapport_owner, rapport_log, rapport_app TO %I', current_user);
END $$;

CREATE SCHEMA rapport AUTHORIZATION rapport_owner;
GRANT USAGE ON SCHEMA rapport TO rapport_app, rapport_log;
GRANT CREATE ON SCHEMA rapport TO rapport_log;      -- only so that functions can be handed to it; taken back at the end
SET ROLE rapport_owner;
SET search_path = rapport, pg_temp;
ALTER DEFAULT PRIVILEGES IN SCHEMA rapport REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- The tenant of the running transaction; NULL (so no row) where none was set.
CREATE FUNCTION current_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
  RETURN nullif(current_setting('app.tenant_id', true), '')::uuid;
GRANT EXECUTE ON FUNCTION current_tenant() TO rapport_app, rapport_log;

-- Row-level security for one table: the application sees its own tenant, the definer functions see what they name.
CREATE PROCEDURE raise_wall(walled regclass) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', walled);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', walled);
  EXECUTE format('CREATE POLICY ordinary ON %s TO rapport_app USING (true) WITH CHECK (true)', walled);
  EXECUTE format('CREATE POLICY wall ON %s AS RESTRICTIVE TO rapport_app'
                 ' USING (tenant_id = (SELECT rapport.current_tenant()))'
                 ' WITH CHECK (tenant_id = (SELECT rapport.current_tenant()))', walled);
  EXECUTE format('CREATE POLICY definer ON %s TO rapport_log USING (true) WITH CHECK (true)', walled);
  -- What the planner is to expect of a new table: rows of few tenants, and few builds. Without this every index that begins
  -- with the tenant looks as good as the one that finds the row, and plans made on an empty table last for minutes.
  PERFORM pg_restore_attribute_stats('schemaname', 'rapport', 'relname', c.relname::text, 'attname', a.attname::text,
                                     'inherited', false, 'null_frac', 0::real, 'avg_width', 16, 'n_distinct',
                                     CASE a.attname WHEN 'tenant_id' THEN 10 ELSE 2 END::real)
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname IN ('tenant_id', 'build')
    WHERE c.oid = walled;
END $$;

CREATE TABLE tenant (
  tenant_id   uuid PRIMARY KEY,
  name        text NOT NULL,
  country     text NOT NULL,                     -- ISO 3166 alpha-2: how its phone numbers are read
  locality    text,                              -- where it is: who lives there is within reach
  time_zone   text NOT NULL,                     -- IANA name
  wrapped_key bytea NOT NULL,                    -- the tenant's key under the master key
  added_at    timestamptz NOT NULL DEFAULT now());

CREATE TABLE api_key (
  tenant_id   uuid NOT NULL REFERENCES tenant,
  key_id      text NOT NULL,
  secret_hash bytea NOT NULL,                    -- sha256: the secret has 256 random bits, a slow hash adds nothing
  added_at    timestamptz NOT NULL DEFAULT now(),
  revoked_at  timestamptz,
  PRIMARY KEY (tenant_id, key_id));
-- The only index that does not begin with the tenant: a request shows its key before anybody knows its tenant.
CREATE INDEX api_key_shown ON api_key (key_id);

-- One row a tenant, locked by each append to the commit: so position order is commit order.
CREATE TABLE tenant_head (
  tenant_id   uuid PRIMARY KEY REFERENCES tenant,
  position    bigint NOT NULL DEFAULT 0,
  hash        bytea NOT NULL DEFAULT '\x',
  recorded_at timestamptz NOT NULL DEFAULT '-infinity') WITH (fillfactor = 20);

CREATE TABLE event (
  tenant_id   uuid NOT NULL,
  position    bigint NOT NULL,
  stream      text NOT NULL,
  event_id    uuid NOT NULL,
  type        text NOT NULL,
  version     smallint NOT NULL,
  occurred_at timestamptz NOT NULL,
  recorded_at timestamptz NOT NULL,
  body        bytea NOT NULL,                    -- JSON, byte for byte as hashed
  sealed      bytea,                             -- personal fields, encrypted
  meta        bytea NOT NULL,                    -- JSON: actor, source, correlation, causation
  fingerprint bytea,                             -- of the item an append was asked for; on its lead event
  hash        bytea NOT NULL,
  PRIMARY KEY (tenant_id, position));
CREATE UNIQUE INDEX event_id ON event (tenant_id, event_id);
CREATE INDEX event_stream ON event (tenant_id, stream, position);

-- Who holds a handle. The handle itself is kept as a keyed digest: the log stays free of readable names.
CREATE TABLE identity (
  tenant_id  uuid NOT NULL,
  platform   text NOT NULL,
  handle     bytea NOT NULL,
  contact_id uuid NOT NULL,
  PRIMARY KEY (tenant_id, platform, handle));
CREATE INDEX identity_contact ON identity (tenant_id, contact_id);

-- The key that seals a person's fields, under the tenant's key. Erasing the person erases the key.
CREATE TABLE subject_key (
  tenant_id   uuid NOT NULL,
  subject_id  uuid NOT NULL,
  wrapped_key bytea,
  erased_at   timestamptz,
  PRIMARY KEY (tenant_id, subject_id),
  CHECK ((wrapped_key IS NULL) = (erased_at IS NOT NULL)));

CALL raise_wall('tenant');
CALL raise_wall('api_key');
CALL raise_wall('tenant_head');
CALL raise_wall('event');
CALL raise_wall('identity');
CALL raise_wall('subject_key');

GRANT SELECT ON tenant, api_key, tenant_head, event, identity, subject_key TO rapport_app;
GRANT INSERT ON tenant, api_key, tenant_head TO rapport_app;
GRANT UPDATE (revoked_at) ON api_key TO rapport_app;
GRANT SELECT ON tenant, api_key TO rapport_log;
GRANT SELECT, UPDATE ON tenant_head TO rapport_log;
GRANT SELECT, INSERT ON event, identity, subject_key TO rapport_log;

-- For people who look: the body as JSON.
CREATE VIEW readable_event WITH (security_invoker = true) AS
  SELECT tenant_id, position, stream, event_id, type, version, occurred_at, recorded_at,
         convert_from(body, 'UTF8')::json AS body, convert_from(meta, 'UTF8')::json AS meta, sealed IS NOT NULL AS sealed
    FROM event;
GRANT SELECT ON readable_event TO rapport_app;

-- Appends to many tenants' logs in one call: arrays, one verdict for each append, in their order. Events of an append stand
-- together; the last one is its lead: its id and fingerprint tell a repeat. Any other event whose id is already in the log
-- is not stored again ("a channel is opened once").
--   recorded        position of the lead
--   duplicate       the same item was recorded before, at that position
--   conflict        the id was recorded before, at that position, with another content
--   contact_moved   a claimed handle is held by another contact (the holder): encode again, send again
--   stale           the stream has gone on past the expected position (the position it has)
--   subject_erased  it speaks of an erased person
--   no_such_tenant
--   busy            not judged: the head is held by somebody, or an earlier append of this call decides it: send again
-- Where every append is recorded, `verdicts` is NULL; `holders` is NULL where nothing is claimed.
-- With `waits` it waits for the heads, but not for long: a caller has others to serve, and comes back.
-- Several statements on purpose: after the lock each one reads with a fresh snapshot, and what most calls do not have costs
-- them nothing. The chain is a loop because the executor takes longer to set up windows and joins than to run them once.
-- Settings: planning this costs more than running it for one event; nested loops are quadratic over 1,000 events.
-- What is looked up is a sub-select with its own index probe: EXISTS would become a join that reads the whole table.
CREATE FUNCTION append(
  waits boolean,
  tenants uuid[], expected_streams text[], expected_positions bigint[],
  event_appends int[], streams text[], event_ids uuid[], types text[], versions smallint[], occurred timestamptz[],
  bodies bytea[], seals bytea[], metas bytea[], fingerprints bytea[],
  claim_appends int[], platforms text[], handles bytea[], contacts uuid[],
  key_appends int[], key_subjects uuid[], wrapped_keys bytea[],
  subject_appends int[], subjects uuid[],
  OUT verdicts text[], OUT found_positions bigint[], OUT holders uuid[])
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = rapport, pg_temp SET plan_cache_mode = force_generic_plan SET enable_nestloop = off SET enable_mergejoin = off SET jit = off
SET lock_timeout = '200ms' AS $$
#variable_conflict use_column
DECLARE
  held uuid[];                      -- the heads, side by side: whose, how far, the chain so far, when
  head_positions bigint[];
  head_hashes bytea[];
  head_times timestamptz[];
  contested bool[];                 -- by append: an earlier one of this call decides it
  stream_positions bigint[];        -- by append, where a position is expected
  erased int[];                     -- appends that speak of erased people
  plain bool;                       -- every event is a new one, in a log that is held
  firsts int[];                     -- by append, unless plain: the first of the call with the same lead
  fresh bool[];                     -- by event, unless plain: it is stored
  positions bigint[];               -- by event: where, when and with which hash it is stored
  times timestamptz[];
  hashes bytea[];
  n int;
  at int;
  next bigint;
  chained bytea;
BEGIN
  IF waits THEN
    BEGIN
      PERFORM FROM tenant_head h WHERE h.tenant_id = ANY (tenants) ORDER BY h.tenant_id FOR NO KEY UPDATE;
    EXCEPTION WHEN lock_not_available THEN NULL;
    END;
  END IF;
  SELECT array_agg(h.tenant_id), array_agg(h.position), array_agg(h.hash), array_agg(greatest(clock_timestamp(), h.recorded_at))
    INTO held, head_positions, head_hashes, head_times
    FROM (SELECT * FROM tenant_head h WHERE h.tenant_id = ANY (tenants) ORDER BY h.tenant_id FOR NO KEY UPDATE SKIP LOCKED) h;

  IF cardinality(claim_appends) > 0 THEN
    SELECT array_agg(v.holder ORDER BY a.n), array_agg(v.contested ORDER BY a.n) INTO holders, contested
      FROM generate_series(1, cardinality(tenants)) AS a (n)
      LEFT JOIN (
        SELECT c.n, (array_agg(c.holder ORDER BY c.ord) FILTER (WHERE c.holder <> c.contact_id))[1] AS holder,
               bool_or(c.holder IS NULL AND c.first_contact <> c.contact_id AND c.first_n < c.n) AS contested
          FROM (SELECT x.*, first_value(x.contact_id) OVER same AS first_contact, first_value(x.n) OVER same AS first_n,
                       (SELECT d.contact_id FROM identity d
                         WHERE d.tenant_id = tenants[x.n] AND d.platform = x.platform AND d.handle = x.handle) AS holder
                  FROM unnest(claim_appends, platforms, handles, contacts) WITH ORDINALITY AS x (n, platform, handle, contact_id, ord)
                WINDOW same AS (PARTITION BY tenants[x.n], x.platform, x.handle ORDER BY x.ord)) c
         GROUP BY c.n) v ON v.n = a.n;
  END IF;
  IF cardinality(expected_positions) > 0 THEN
    SELECT array_agg(CASE WHEN a.xp IS NOT NULL THEN coalesce(
             (SELECT max(e.position) FROM event e WHERE e.tenant_id = a.t AND e.stream = a.xs), 0) END ORDER BY a.n),
           array_agg(contested[a.n] IS TRUE OR a.xp IS NOT NULL AND EXISTS (
             SELECT FROM unnest(event_appends, streams) AS e (n, stream)
              WHERE e.n < a.n AND e.stream = a.xs AND tenants[e.n] = a.t) ORDER BY a.n)
      INTO stream_positions, contested
      FROM unnest(tenants, expected_streams, expected_positions) WITH ORDINALITY AS a (t, xs, xp, n);
  END IF;
  IF cardinality(subject_appends) > 0 THEN
    erased := ARRAY(SELECT s.n FROM unnest(subject_appends, subjects) AS s (n, subject_id)
                     WHERE (SELECT k.erased_at FROM subject_key k
                             WHERE k.tenant_id = tenants[s.n] AND k.subject_id = s.subject_id) IS NOT NULL);
  END IF;

  plain := tenants <@ held
       AND NOT EXISTS (SELECT FROM unnest(event_appends, event_ids) AS e (n, event_id)
                        WHERE (SELECT k.position FROM event k WHERE k.tenant_id = tenants[e.n] AND k.event_id = e.event_id) IS NOT NULL)
       AND (cardinality(event_ids) = 1 OR cardinality(event_ids) = (SELECT count(DISTINCT e.id) FROM unnest(event_ids) AS e (id)));

  IF plain IS NOT TRUE OR array_remove(holders, NULL) <> '{}' OR true = ANY (contested)
     OR stream_positions IS DISTINCT FROM nullif(expected_positions, '{}') OR erased <> '{}' THEN
    WITH lead AS MATERIALIZED (
      SELECT e.n, tenants[e.n] AS t, e.fingerprint,
             first_value(e.n) OVER same AS first_n, first_value(e.fingerprint) OVER same AS first_fingerprint,
             (SELECT k.position FROM event k WHERE k.tenant_id = tenants[e.n] AND k.event_id = e.event_id) AS position,
             (SELECT k.fingerprint FROM event k WHERE k.tenant_id = tenants[e.n] AND k.event_id = e.event_id) AS known_fingerprint
        FROM unnest(event_appends, event_ids, fingerprints) WITH ORDINALITY AS e (n, event_id, fingerprint, ord)
       WHERE event_appends[e.ord + 1] IS DISTINCT FROM e.n
      WINDOW same AS (PARTITION BY tenants[e.n], e.event_id ORDER BY e.n)),
    judged AS MATERIALIZED (
      SELECT l.*,
             CASE WHEN (SELECT h.position FROM tenant_head h WHERE h.tenant_id = l.t) IS NULL THEN 'no_such_tenant'
                  WHEN array_position(held, l.t) IS NULL THEN 'busy'
                  WHEN l.known_fingerprint = l.fingerprint THEN 'duplicate'
                  WHEN l.position IS NOT NULL THEN 'conflict'
                  WHEN l.first_n < l.n THEN 'repeat'
                  WHEN contested[l.n] THEN 'busy'
                  WHEN stream_positions[l.n] <> expected_positions[l.n] THEN 'stale'
                  WHEN l.n = ANY (erased) THEN 'subject_erased'
                  WHEN holders[l.n] IS NOT NULL THEN 'contact_moved'
                  ELSE 'recorded' END AS verdict
        FROM lead l)
    SELECT array_agg(CASE WHEN j.verdict <> 'repeat' THEN j.verdict
                          WHEN f.verdict NOT IN ('recorded', 'duplicate') THEN 'busy'
                          WHEN j.fingerprint IS NOT DISTINCT FROM j.first_fingerprint THEN 'duplicate'
                          ELSE 'conflict' END ORDER BY j.n),
           array_agg(coalesce(j.position, stream_positions[j.n]) ORDER BY j.n),
           array_agg(j.first_n ORDER BY j.n)
      INTO verdicts, found_positions, firsts
      FROM judged j JOIN judged f ON f.n = j.first_n;
    fresh := ARRAY(
      SELECT e.recorded AND e.copy = 1
             AND (e.lead OR (SELECT k.position FROM event k WHERE k.tenant_id = tenants[e.n] AND k.event_id = e.event_id) IS NULL)
        FROM (SELECT l.*, row_number() OVER (PARTITION BY l.recorded, tenants[l.n], l.event_id ORDER BY l.lead DESC, l.ord) AS copy
                FROM (SELECT x.*, verdicts[x.n] = 'recorded' AS recorded, event_appends[x.ord + 1] IS DISTINCT FROM x.n AS lead
                        FROM unnest(event_appends, event_ids) WITH ORDINALITY AS x (n, event_id, ord)) l) e
       ORDER BY e.ord);
  END IF;

  positions := array_fill(NULL::bigint, ARRAY[cardinality(event_ids)]);
  times := array_fill(NULL::timestamptz, ARRAY[cardinality(event_ids)]);
  hashes := array_fill(NULL::bytea, ARRAY[cardinality(event_ids)]);
  FOR ord IN 1 .. cardinality(event_ids) LOOP
    CONTINUE WHEN NOT fresh[ord];
    n := event_appends[ord];
    at := array_position(held, tenants[n]);
    next := head_positions[at] + 1;
    -- Each field framed by its length as four bytes; where that is always the same, it is written out.
    chained := sha256(head_hashes[at] || sha256(
      '\x00000010' || uuid_send(tenants[n]) || '\x00000008' || int8send(next) || '\x00000010' || uuid_send(event_ids[ord])
      || int4send(octet_length(streams[ord])) || convert_to(streams[ord], 'UTF8')
      || int4send(octet_length(types[ord])) || convert_to(types[ord], 'UTF8') || '\x00000002' || int2send(versions[ord])
      || '\x00000008' || timestamptz_send(occurred[ord]) || '\x00000008' || timestamptz_send(head_times[at])
      || int4send(length(metas[ord])) || metas[ord]
      || coalesce(int4send(length(fingerprints[ord])) || fingerprints[ord], '\x00000000')
      || '\x00000020' || sha256(bodies[ord]) || coalesce('\x00000020' || sha256(seals[ord]), '\x00000000')));
    head_positions[at] := next;
    head_hashes[at] := chained;
    positions[ord] := next;
    times[ord] := head_times[at];
    hashes[ord] := chained;
    IF event_appends[ord + 1] IS DISTINCT FROM n THEN
      found_positions[n] := next;
    END IF;
  END LOOP;

  INSERT INTO event (tenant_id, position, stream, event_id, type, version, occurred_at, recorded_at, body, sealed, meta, fingerprint, hash)
  SELECT tenants[x.n], x.position, x.stream, x.event_id, x.type, x.version, x.occurred_at, x.recorded_at, x.body, x.sealed, x.meta,
         x.fingerprint, x.hash
    FROM unnest(event_appends, positions, streams, event_ids, types, versions, occurred, times, bodies, seals, metas, fingerprints, hashes)
         AS x (n, position, stream, event_id, type, version, occurred_at, recorded_at, body, sealed, meta, fingerprint, hash)
   WHERE x.position IS NOT NULL;
  UPDATE tenant_head h SET position = x.position, hash = x.hash, recorded_at = x.recorded_at
    FROM unnest(held, head_positions, head_hashes, head_times) AS x (tenant_id, position, hash, recorded_at)
   WHERE h.tenant_id = x.tenant_id AND h.tenant_id = ANY (held) AND h.position < x.position;

  IF cardinality(claim_appends) > 0 THEN
    INSERT INTO identity (tenant_id, platform, handle, contact_id)
    SELECT DISTINCT tenants[c.n], c.platform, c.handle, c.contact_id
      FROM unnest(claim_appends, platforms, handles, contacts) AS c (n, platform, handle, contact_id)
     WHERE (verdicts IS NULL OR verdicts[c.n] = 'recorded')
       AND (SELECT d.contact_id FROM identity d
             WHERE d.tenant_id = tenants[c.n] AND d.platform = c.platform AND d.handle = c.handle) IS NULL;
  END IF;
  IF cardinality(key_appends) > 0 THEN
    INSERT INTO subject_key (tenant_id, subject_id, wrapped_key)
    SELECT DISTINCT ON (tenants[k.n], k.subject_id) tenants[k.n], k.subject_id, k.wrapped_key
      FROM unnest(key_appends, key_subjects, wrapped_keys) AS k (n, subject_id, wrapped_key)
     WHERE verdicts IS NULL OR verdicts[k.n] = 'recorded'
        ON CONFLICT DO NOTHING;
  END IF;
  IF verdicts IS NOT NULL THEN
    found_positions := ARRAY(SELECT coalesce(found_positions[x.n], found_positions[x.first_n])
                               FROM unnest(firsts) WITH ORDINALITY AS x (first_n, n) ORDER BY x.n);
  END IF;
END $$;

-- For a decision that has to read first: the head of the running transaction's tenant, held to its commit.
CREATE FUNCTION hold_head() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = rapport, pg_temp AS
'SELECT h.position FROM tenant_head h WHERE h.tenant_id = current_tenant() FOR NO KEY UPDATE';

-- Whose key is it? Nothing when it is unknown, wrong or revoked.
CREATE FUNCTION tenant_of_key(shown_id text, shown_hash bytea) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = rapport, pg_temp AS
'SELECT k.tenant_id FROM api_key k WHERE k.key_id = shown_id AND k.secret_hash = shown_hash AND k.revoked_at IS NULL';

-- The ids of all tenants, for the operator's commands (verify, status, rebuild). Ids only.
CREATE FUNCTION tenant_ids() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = rapport, pg_temp AS
'SELECT t.tenant_id FROM tenant t ORDER BY t.added_at, t.tenant_id';

RESET ROLE;
ALTER FUNCTION rapport.append OWNER TO rapport_log;
ALTER FUNCTION rapport.hold_head OWNER TO rapport_log;
ALTER FUNCTION rapport.tenant_of_key OWNER TO rapport_log;
ALTER FUNCTION rapport.tenant_ids OWNER TO rapport_log;
REVOKE ALL ON FUNCTION rapport.append, rapport.hold_head, rapport.tenant_of_key, rapport.tenant_ids FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rapport.append, rapport.hold_head, rapport.tenant_of_key, rapport.tenant_ids TO rapport_app;
REVOKE CREATE ON SCHEMA rapport FROM rapport_log;
RESET search_path;

-- migrate:down
