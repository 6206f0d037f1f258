-- migrate:up

-- Who appends for many tenants logs in as somebody else: a role that can do that and nothing more. The application's role is
-- no member of it, so that no statement in a session of the application's makes it the writer.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rapport_writer') THEN CREATE ROLE rapport_writer LOGIN; END IF;
  EXECUTE format('GRANT rapport_writer TO %I', current_user);
  EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
END $$;

GRANT USAGE ON SCHEMA rapport TO rapport_writer;
GRANT CREATE ON SCHEMA rapport TO rapport_log;
SET ROLE rapport_log;
SET search_path = rapport, pg_temp;

-- `append` within the transaction of a tenant: for that tenant alone. One foreign append, or no tenant, and all is refused.
CREATE FUNCTION append_own(
  waits boolean,
  tenants uuid[], expected_streams text[], expected_positions bigint[],
  event_appends int[], streams text[], event_ids uuid[], types text[], versions smallint[], occurred timestamptz[],
  bodies bytea[], seals bytea[], metas bytea[], fingerprints bytea[],
  claim_appends int[], platforms text[], handles bytea[], contacts uuid[],
  key_appends int[], key_subjects uuid[], wrapped_keys bytea[],
  subject_appends int[], subjects uuid[],
  OUT verdicts text[], OUT found_positions bigint[], OUT holders uuid[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = rapport, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  own uuid := current_tenant();
BEGIN
  IF own IS NULL OR (tenants <@ ARRAY[own]) IS NOT TRUE THEN
    RAISE insufficient_privilege USING
      MESSAGE = 'an append belongs to the tenant of its transaction',
      HINT = 'Who appends for many tenants is rapport_writer.';
  END IF;
  SELECT a.verdicts, a.found_positions, a.holders INTO verdicts, found_positions, holders
    FROM append(waits, tenants, expected_streams, expected_positions,
                event_appends, streams, event_ids, types, versions, occurred, bodies, seals, metas, fingerprints,
                claim_appends, platforms, handles, contacts, key_appends, key_subjects, wrapped_keys,
                subject_appends, subjects) a;
END $$;

REVOKE ALL ON FUNCTION append_own, append FROM PUBLIC, rapport_app;
GRANT EXECUTE ON FUNCTION append_own TO rapport_app;
GRANT EXECUTE ON FUNCTION append TO rapport_writer;

RESET ROLE;
REVOKE CREATE ON SCHEMA rapport FROM rapport_log;
RESET search_path;

-- migrate:down
