"""The wall, read from the database's own catalogue: what has no verdict here does not go in."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from infra.database import Connection
from infra.projector import PROJECTIONS
from tests.conftest import Database
from tests.infra import quiet

# The doors: functions that see more than one tenant, and why each may.
DOORS = {
    "append": "many tenants in one commit; the tenant comes from the authenticated key",
    "append_own": "the same for the entered tenant alone: the application may not write into the log itself",
    "claim_work": "finds a tenant with work; the same transaction then enters that tenant",
    "claim_due": "likewise, for periodic work",
    "claim_parked": "likewise, for parked events",
    "claim_import": "likewise, for imports",
    "tenant_of_key": "a request shows its key before anybody knows its tenant",
    "hold_head": "locks the entered tenant's head, which the application may not update",
    "tenant_ids": "the operator's commands go from tenant to tenant; ids only",
    "claim_lane": "finds an endpoint with webhooks due; the same transaction then enters its tenant",
    "claim_replay": "likewise, for a replay to be filled",
    "next_lane_due": "when the next webhook is due, whose it may be: a time only",
    "source_of_token": "a webhook shows its token before anybody knows its tenant",
    "gathering_of_token": "a guest shows the page's address before anybody knows its tenant",
    "claim_message": "finds a message to be read; the same transaction then enters its tenant",
    "work_lags": "metrics and status; ids and numbers only",
}
# Who may call each: the application, but for the one that takes its word for whose log it is.
CALLERS = {"append": {"rapport_writer"}}
# Indexes that do not begin with the tenant, and why.
NOT_BY_TENANT = {
    "due_next": "the next piece of periodic work, whose it may be",
    "gathering_shown": "a guest shows the page's address before anybody knows its tenant",
    "api_key_shown": "a request shows its key before anybody knows its tenant",
    "webhook_source_shown": "a webhook shows its token before anybody knows its tenant",
}
# What the application may do. Anything else it may not.
GRANTS = {
    "tenant": {"SELECT", "INSERT"},
    "api_key": {"SELECT", "INSERT"},
    "tenant_head": {"SELECT", "INSERT"},
    "event": {"SELECT"},
    "identity": {"SELECT"},
    "subject_key": {"SELECT"},
    "readable_event": {"SELECT"},
    "webhook_audit": {"SELECT", "INSERT"},
    "source_audit": {"SELECT", "INSERT"},
}
EVERYTHING = {"SELECT", "INSERT", "UPDATE", "DELETE"}
COLUMNS = {("api_key", "revoked_at", "UPDATE"), ("tenant", "suspended_at", "UPDATE")}
ROLES = ("rapport_app", "rapport_log", "rapport_owner", "rapport_writer")
LOGINS = ["rapport_app", "rapport_writer"]


@pytest.fixture
async def catalogue(quiet_database: Database) -> AsyncIterator[Connection]:
    connection = await quiet.superuser(quiet_database)
    yield connection
    await connection.close()


async def names(catalogue: Connection, query: str, *values: object) -> list[str]:
    return sorted(row[0] for row in await catalogue.fetch(query, *values))


async def tables(catalogue: Connection) -> list[str]:
    return await names(catalogue, "SELECT tablename FROM pg_tables WHERE schemaname = 'rapport'")


async def test_the_catalogue_is_read_at_all(catalogue: Connection):
    assert {"event", "tenant", "contact", "checkpoint"} <= set(await tables(catalogue))


async def test_nothing_of_ours_lies_outside_the_schema(catalogue: Connection):
    query = """SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'rapport')
                 AND c.relname NOT LIKE 'schema\\_migrations%'"""
    assert await names(catalogue, query) == []


async def test_every_table_has_forced_row_level_security(catalogue: Connection):
    query = """SELECT relname FROM pg_class WHERE relnamespace = 'rapport'::regnamespace AND relkind IN ('r', 'p')
               AND NOT (relrowsecurity AND relforcerowsecurity)"""
    assert await names(catalogue, query) == []


async def test_every_table_has_the_same_wall(catalogue: Connection):
    """One permissive policy, one restrictive one that compares the tenant, and the definer functions' own."""
    condition = "(tenant_id = ( SELECT current_tenant() AS current_tenant))"
    expected = [
        ("definer", "PERMISSIVE", ["rapport_log"], "ALL", "true", "true"),
        ("ordinary", "PERMISSIVE", ["rapport_app"], "ALL", "true", "true"),
        ("wall", "RESTRICTIVE", ["rapport_app"], "ALL", condition, condition),
    ]
    rows = await catalogue.fetch(
        "SELECT * FROM pg_policies WHERE schemaname = 'rapport' ORDER BY tablename, policyname"
    )
    found: dict[str, list[tuple[object, ...]]] = {name: [] for name in await tables(catalogue)}
    for row in rows:
        said = (row["policyname"], row["permissive"], row["roles"], row["cmd"], row["qual"], row["with_check"])
        found[row["tablename"]].append(said)
    assert {name: policies for name, policies in found.items() if policies != expected} == {}


async def test_every_table_has_its_tenant_first_and_never_empty(catalogue: Connection):
    query = """SELECT tablename FROM pg_tables t WHERE schemaname = 'rapport' AND NOT EXISTS (
                 SELECT FROM pg_attribute WHERE attrelid = format('rapport.%I', t.tablename)::regclass
                    AND attname = 'tenant_id' AND attnum = 1 AND attnotnull AND atttypid = 'uuid'::regtype)"""
    assert await names(catalogue, query) == []


async def test_every_table_has_a_primary_key(catalogue: Connection):
    query = """SELECT relname FROM pg_class c WHERE relnamespace = 'rapport'::regnamespace AND relkind = 'r'
               AND NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = c.oid AND contype = 'p')"""
    assert await names(catalogue, query) == []


async def test_every_key_and_index_begins_with_the_tenant(catalogue: Connection):
    query = """SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
               LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
               WHERE c.relnamespace = 'rapport'::regnamespace AND a.attname IS DISTINCT FROM 'tenant_id'"""
    assert await names(catalogue, query) == sorted(NOT_BY_TENANT)


async def test_an_index_that_does_not_begin_with_the_tenant_is_not_unique(catalogue: Connection):
    """A unique one would tell a tenant what another one has."""
    query = (
        "SELECT indexrelid::regclass::text FROM pg_index WHERE indexrelid::regclass::text = ANY ($1) AND indisunique"
    )
    assert await names(catalogue, query, list(NOT_BY_TENANT)) == []


async def test_every_foreign_key_carries_the_tenant_on_both_sides(catalogue: Connection):
    query = """SELECT conname FROM pg_constraint k WHERE contype = 'f' AND connamespace = 'rapport'::regnamespace
               AND NOT EXISTS (
                 SELECT FROM unnest(k.conkey, k.confkey) AS p (a, b)
                   JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = p.a AND a.attname = 'tenant_id'
                   JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = p.b AND b.attname = 'tenant_id')"""
    assert await names(catalogue, query) == []
    assert await catalogue.fetchval("SELECT count(*) FROM pg_constraint WHERE contype = 'f'") > 3


async def test_there_is_no_materialized_view_no_sequence_and_no_foreign_table(catalogue: Connection):
    query = (
        "SELECT relname FROM pg_class WHERE relnamespace = 'rapport'::regnamespace AND relkind NOT IN ('r', 'i', 'v')"
    )
    assert await names(catalogue, query) == []


async def test_every_view_asks_with_the_rights_of_who_looks(catalogue: Connection):
    query = """SELECT relname FROM pg_class WHERE relnamespace = 'rapport'::regnamespace AND relkind = 'v'
               AND NOT coalesce(reloptions, '{}') @> '{security_invoker=true}'"""
    assert await names(catalogue, query) == []


async def test_no_trigger_and_no_rule_does_anything_behind_the_scenes(catalogue: Connection):
    triggers = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
    rules = "SELECT rulename FROM pg_rules WHERE schemaname = 'rapport'"
    assert (await names(catalogue, triggers), await names(catalogue, rules)) == ([], [])


async def test_only_the_listed_functions_see_more_than_their_caller(catalogue: Connection):
    query = "SELECT proname FROM pg_proc WHERE pronamespace = 'rapport'::regnamespace AND prosecdef"
    assert await names(catalogue, query) == sorted(DOORS)


async def test_every_door_belongs_to_the_log_and_looks_in_its_own_schema_only(catalogue: Connection):
    query = """SELECT proname FROM pg_proc WHERE pronamespace = 'rapport'::regnamespace AND prosecdef
               AND NOT (proowner = 'rapport_log'::regrole
                        AND coalesce(proconfig, '{}') @> ARRAY['search_path=rapport, pg_temp'])"""
    assert await names(catalogue, query) == []


async def test_no_function_is_for_everybody(catalogue: Connection):
    query = """SELECT proname FROM pg_proc p WHERE pronamespace = 'rapport'::regnamespace
               AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) WHERE grantee = 0)"""
    assert await names(catalogue, query) == []


async def test_the_application_may_call_the_doors_and_what_policies_and_queries_need(catalogue: Connection):
    query = """SELECT proname FROM pg_proc p WHERE pronamespace = 'rapport'::regnamespace
               AND has_function_privilege('rapport_app', p.oid, 'EXECUTE')"""
    ours = [name for name in DOORS if "rapport_app" in CALLERS.get(name, {"rapport_app"})]
    assert await names(catalogue, query) == sorted([*ours, "current_tenant", "everybody", "live_build", "standing"])


async def test_each_door_is_open_to_who_needs_it_and_to_nobody_else(catalogue: Connection):
    rows = await catalogue.fetch(
        """SELECT p.proname, a.grantee::regrole::text FROM pg_proc p
           CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
           WHERE p.pronamespace = 'rapport'::regnamespace AND p.prosecdef AND a.grantee <> p.proowner"""
    )
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["proname"], set()).add(row["grantee"])
    assert found == {name: CALLERS.get(name, {"rapport_app"}) for name in DOORS}


async def test_the_writer_may_append_and_has_no_other_right_in_the_whole_database(catalogue: Connection):
    """By itself, by another role or by everybody: what PostgreSQL's own catalogues show to all is all that is left."""
    functions = """SELECT p.oid::regproc::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                   WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
                     AND has_function_privilege('rapport_writer', p.oid, 'EXECUTE')"""
    assert await names(catalogue, functions) == ["append"]
    relations = """SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                   WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
                     AND c.relkind NOT IN ('i', 'I', 'S')
                     AND (has_any_column_privilege('rapport_writer', c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
                          OR has_table_privilege('rapport_writer', c.oid, 'DELETE, TRUNCATE, TRIGGER, MAINTAIN'))"""
    assert await names(catalogue, relations) == []
    schemas = """SELECT nspname FROM pg_namespace WHERE has_schema_privilege('rapport_writer', oid, 'USAGE')
                 AND nspname NOT IN ('pg_catalog', 'information_schema', 'public')"""
    assert await names(catalogue, schemas) == ["rapport"]
    makes = """SELECT nspname FROM pg_namespace WHERE has_schema_privilege('rapport_writer', oid, 'CREATE')
               AND nspname NOT LIKE 'pg\\_temp%'"""
    assert await names(catalogue, makes) == []
    ask = "SELECT has_database_privilege('rapport_writer', current_database(), $1)"
    assert not await catalogue.fetchval(ask, "CREATE, TEMPORARY")
    owned = "SELECT objid::text FROM pg_shdepend WHERE refobjid = 'rapport_writer'::regrole AND deptype = 'o'"
    assert await names(catalogue, owned) == []
    policies = "SELECT policyname FROM pg_policies WHERE roles && ARRAY['rapport_writer', 'public']::name[]"
    assert await names(catalogue, policies) == []
    assert not await catalogue.fetchval("SELECT pg_has_role('rapport_app', 'rapport_writer', 'MEMBER')")
    assert not await catalogue.fetchval("SELECT pg_has_role('rapport_writer', 'rapport_app', 'MEMBER')")


async def test_no_role_stands_above_the_walls(catalogue: Connection):
    above = "rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication"
    query = f"SELECT rolname FROM pg_roles WHERE rolname LIKE 'rapport\\_%' AND ({above})"  # noqa: S608
    assert await names(catalogue, query) == []
    assert await names(catalogue, "SELECT rolname FROM pg_roles WHERE rolname LIKE 'rapport\\_%'") == sorted(ROLES)
    assert (
        await names(catalogue, "SELECT rolname FROM pg_roles WHERE rolname = ANY ($1) AND rolcanlogin", ROLES) == LOGINS
    )


async def test_none_of_our_roles_is_a_member_of_another(catalogue: Connection):
    query = "SELECT member::regrole::text FROM pg_auth_members WHERE member::regrole::text = ANY ($1)"
    assert await names(catalogue, query, ROLES) == []


async def test_the_application_owns_nothing_and_may_make_nothing(catalogue: Connection):
    query = "SELECT objid::text FROM pg_shdepend WHERE refobjid = 'rapport_app'::regrole AND deptype = 'o'"
    assert await names(catalogue, query) == []
    schemas = """SELECT nspname FROM pg_namespace WHERE has_schema_privilege('rapport_app', oid, 'CREATE')
                 AND nspname NOT LIKE 'pg\\_temp%'"""
    assert await names(catalogue, schemas) == []
    assert await catalogue.fetchval("SELECT has_schema_privilege('rapport_log', 'rapport', 'CREATE')") is False


async def test_the_application_has_the_listed_rights_and_no_others(catalogue: Connection):
    """The log and its heads can only be read: what changes them is the function."""
    rows = await catalogue.fetch(
        """SELECT c.relname, a.privilege_type FROM pg_class c
           CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
           WHERE c.relnamespace = 'rapport'::regnamespace AND a.grantee = 'rapport_app'::regrole"""
    )
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["relname"], set()).add(row["privilege_type"])
    expected = {name: GRANTS.get(name, EVERYTHING) for name in [*await tables(catalogue), "readable_event"]}
    assert found == expected


async def test_rights_on_single_columns_are_listed(catalogue: Connection):
    rows = await catalogue.fetch(
        """SELECT c.relname, b.attname, a.privilege_type FROM pg_attribute b JOIN pg_class c ON c.oid = b.attrelid
           CROSS JOIN LATERAL aclexplode(b.attacl) a WHERE c.relnamespace = 'rapport'::regnamespace"""
    )
    assert {tuple(row) for row in rows} == COLUMNS


async def test_nobody_else_has_any_right(catalogue: Connection):
    query = """SELECT DISTINCT a.grantee::regrole::text FROM pg_class c
               CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
               WHERE c.relnamespace = 'rapport'::regnamespace"""
    assert await names(catalogue, query) == ["rapport_app", "rapport_log", "rapport_owner"]


async def test_the_functions_of_the_log_may_change_no_event_either(catalogue: Connection):
    rows = await catalogue.fetch(
        """SELECT a.privilege_type FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
           WHERE c.oid = 'rapport.event'::regclass AND a.grantee = 'rapport_log'::regrole"""
    )
    assert {row["privilege_type"] for row in rows} == {"SELECT", "INSERT"}


async def test_every_table_of_a_build_is_emptied_with_it(catalogue: Connection):
    query = """SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'build'
               WHERE c.relnamespace = 'rapport'::regnamespace AND c.relkind = 'r'"""
    ours = [table for projection in PROJECTIONS.values() for table in projection.tables]
    assert await names(catalogue, query) == sorted([*ours, "checkpoint", "parked_event", "viewpoint"])


Check = Callable[[Connection], Awaitable[None]]


@pytest.mark.parametrize(
    ("statement", "check"),
    [
        ("CREATE TABLE leak (tenant_id uuid PRIMARY KEY)", test_every_table_has_forced_row_level_security),
        ("CREATE TABLE leak (tenant_id uuid PRIMARY KEY)", test_every_table_has_the_same_wall),
        ("ALTER TABLE event NO FORCE ROW LEVEL SECURITY", test_every_table_has_forced_row_level_security),
        ("CREATE POLICY more ON event TO rapport_app USING (true)", test_every_table_has_the_same_wall),
        ("DROP POLICY wall ON identity", test_every_table_has_the_same_wall),
        ("CREATE TABLE leak (id uuid PRIMARY KEY)", test_every_table_has_its_tenant_first_and_never_empty),
        ("CREATE TABLE leak (id uuid PRIMARY KEY)", test_every_key_and_index_begins_with_the_tenant),
        ("CREATE TABLE leak (tenant_id uuid)", test_every_table_has_a_primary_key),
        (
            "CREATE UNIQUE INDEX leak ON api_key (key_id)",
            test_every_key_and_index_begins_with_the_tenant,
        ),
        (
            "CREATE TABLE leak (slug text UNIQUE); CREATE TABLE other (slug text REFERENCES leak (slug))",
            test_every_foreign_key_carries_the_tenant_on_both_sides,
        ),
        (
            "CREATE MATERIALIZED VIEW leak AS SELECT * FROM event",
            test_there_is_no_materialized_view_no_sequence_and_no_foreign_table,
        ),
        ("CREATE VIEW leak AS SELECT * FROM event", test_every_view_asks_with_the_rights_of_who_looks),
        (
            "CREATE FUNCTION leak() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
            test_only_the_listed_functions_see_more_than_their_caller,
        ),
        ("ALTER FUNCTION tenant_ids RESET ALL", test_every_door_belongs_to_the_log_and_looks_in_its_own_schema_only),
        ("GRANT EXECUTE ON FUNCTION tenant_ids TO PUBLIC", test_no_function_is_for_everybody),
        ("GRANT EXECUTE ON FUNCTION append TO rapport_app", test_each_door_is_open_to_who_needs_it_and_to_nobody_else),
        (
            "GRANT EXECUTE ON FUNCTION append TO rapport_app",
            test_the_application_may_call_the_doors_and_what_policies_and_queries_need,
        ),
        *(
            (statement, test_the_writer_may_append_and_has_no_other_right_in_the_whole_database)
            for statement in (
                "GRANT SELECT (name) ON tenant TO rapport_writer",
                "GRANT DELETE ON event TO rapport_writer",
                "GRANT SELECT ON tenant TO PUBLIC",
                "GRANT EXECUTE ON FUNCTION claim_work TO rapport_writer",
                "GRANT EXECUTE ON FUNCTION current_tenant TO PUBLIC",
                "GRANT CREATE ON SCHEMA public TO rapport_writer",
                "CREATE FUNCTION public.leak() RETURNS int LANGUAGE sql AS 'SELECT 1'",
                "GRANT rapport_writer TO rapport_app",
            )
        ),
        ("GRANT rapport_writer TO rapport_app", test_none_of_our_roles_is_a_member_of_another),
        ("ALTER ROLE rapport_app BYPASSRLS", test_no_role_stands_above_the_walls),
        ("GRANT rapport_log TO rapport_app", test_none_of_our_roles_is_a_member_of_another),
        ("ALTER TABLE due OWNER TO rapport_app", test_the_application_owns_nothing_and_may_make_nothing),
        ("GRANT DELETE ON event TO rapport_app", test_the_application_has_the_listed_rights_and_no_others),
        ("GRANT UPDATE (body) ON event TO rapport_app", test_rights_on_single_columns_are_listed),
        ("GRANT SELECT ON event TO PUBLIC", test_nobody_else_has_any_right),
        ("GRANT UPDATE ON event TO rapport_log", test_the_functions_of_the_log_may_change_no_event_either),
        ("CREATE TABLE public.leak ()", test_nothing_of_ours_lies_outside_the_schema),
    ],
)
async def test_each_of_these_tests_finds_what_it_is_for(catalogue: Connection, statement: str, check: Check):
    trial = catalogue.transaction()
    await trial.start()
    try:
        await catalogue.execute(statement)
        with pytest.raises(AssertionError):
            await check(catalogue)
    finally:
        await trial.rollback()
