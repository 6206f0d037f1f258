from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from infra import migrate
from infra.migrate import MigrationError

MIGRATION = "-- migrate:up\n{}\n-- migrate:down\n"


@pytest.fixture
async def url(servers):
    """Of a database that is not there yet."""
    parts = urlsplit(servers.admin_url)
    name = f"rapport_test_{uuid4().hex}"
    yield parts._replace(path=f"/{name}").geturl()
    connection = await asyncpg.connect(parts._replace(path="/postgres").geturl())
    await connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
    await connection.close()


def test_our_migrations_make_the_database_and_can_run_again(url):
    migrate.up(url)
    migrate.up(url)
    assert migrate.pending(url) == 0


def test_what_is_pending_is_counted(url, tmp_path):
    (tmp_path / "0001_one.sql").write_text(MIGRATION.format("CREATE TABLE public.thing ();"))
    migrate.up(url, tmp_path)
    (tmp_path / "0002_two.sql").write_text(MIGRATION.format("CREATE TABLE public.thing ();"))
    assert migrate.pending(url, tmp_path) == 1


def test_a_broken_migration_fails_with_the_database_s_own_words(url, tmp_path):
    (tmp_path / "0001_one.sql").write_text(MIGRATION.format("CREATE TABEL thing ();"))
    with pytest.raises(MigrationError, match="TABEL"):
        migrate.up(url, tmp_path)


def test_a_server_that_does_not_answer_is_named():
    with pytest.raises(MigrationError, match=r"127\.0\.0\.1:1"):
        migrate.up("postgresql://nobody@127.0.0.1:1/rapport")


def test_an_env_file_where_we_were_started_is_not_read(url, tmp_path, monkeypatch):
    (tmp_path / ".env").write_text(
        "DBMATE_MIGRATIONS_TABLE=elsewhere\nDATABASE_URL=postgresql://nobody@127.0.0.1:1/x\n"
    )
    monkeypatch.chdir(tmp_path)
    migrate.up(url)
    assert migrate.pending(url) == 0


def test_the_databases_of_the_tests_are_copies_of_one_that_was_migrated_to_the_end(database):
    assert migrate.pending(database.admin_url) == 0


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        ("postgresql://db/rapport", "postgresql://db/rapport?sslmode=prefer"),
        ("postgresql://db/rapport?sslmode=verify-full", "postgresql://db/rapport?sslmode=verify-full"),
        ("postgresql:///rapport?host=/run", "postgresql:///rapport?host=/run&sslmode=prefer"),
    ],
)
def test_tls_is_used_where_the_server_has_it_unless_the_url_says_otherwise(given, passed):
    assert migrate.as_libpq(given) == passed


async def test_the_application_can_use_a_migrated_database_and_is_no_superuser(database):
    connection = await asyncpg.connect(database.app_url)
    try:
        assert await connection.fetchval("SELECT current_user") == "rapport_app"
        assert await connection.fetchval("SELECT current_setting('is_superuser')") == "off"
    finally:
        await connection.close()
