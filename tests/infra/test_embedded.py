"""Real servers, killed for real."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
from redis import Redis

from infra import cluster, embedded, migrate, tenants
from infra.context import open_context
from infra.data_folder import DataFolder, DataFolderError
from infra.database import in_tenant, open_pool
from infra.embedded import EmbeddedError
from infra.event_log import append_now
from infra.settings import as_writer
from tests.conftest import temporary_folder
from tests.infra.quiet import one_event

PROJECT = Path(__file__).parents[2]
USER = "import sys; from pathlib import Path; from infra import embedded; from infra.data_folder import DataFolder\n"


@pytest.fixture(scope="module")
def made() -> Iterator[DataFolder]:
    """A data folder whose servers ran before."""
    with temporary_folder() as folder:
        folder.create()
        embedded.master_key(folder)
        with embedded.servers(folder):
            pass
        yield folder


@pytest.fixture
def started_before(made, data):
    """`data` is a copy of it, for tests that are not about the first start: initdb takes longer than they do."""
    if not (made.root / "postgres").is_symlink():
        subprocess.run(["cp", "-a", f"{made.root}/.", str(data.root)], check=True)


STARTED_BEFORE = pytest.mark.usefixtures("started_before")


async def ask(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def postgres_of(url: str) -> str:
    return url.replace("/rapport", "/postgres")


def place(data: DataFolder) -> Path:
    return (data.root / "postgres").resolve()


def ping(url: str) -> bool:
    with Redis.from_url(url) as client:
        return client.ping()


def processes(data: DataFolder) -> list[psutil.Process]:
    """All that has to do with this data folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = " ".join(process.info["cmdline"] or [])
        if str(data.root) in words and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


async def test_the_servers_answer_while_they_are_used_and_leave_nothing_behind(data, eventually):
    with embedded.servers(data) as servers:
        assert await ask(postgres_of(servers.admin_url), "SHOW fsync") == "on"
        assert await ask(postgres_of(servers.admin_url), "SHOW synchronous_commit") == "on"
        assert ping(servers.redis_url)
        assert len(processes(data)) >= 2
    eventually(lambda: processes(data) == [])


async def test_the_database_is_migrated_and_the_application_can_log_in(data):
    with embedded.servers(data) as servers:
        embedded.prepare(data, servers)
        embedded.prepare(data, servers)
        assert await ask(servers.database_url, "SELECT current_user") == "rapport_app"
        assert not await ask(servers.database_url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        assert await ask(as_writer(servers.database_url), "SELECT session_user") == "rapport_writer"


async def test_a_data_folder_from_before_the_writer_goes_on_with_all_its_events(data, tmp_path):
    for one in sorted(migrate.MIGRATIONS.glob("*.sql")):
        if one.name < "0017":
            (tmp_path / one.name).write_text(one.read_text())
    appended = (
        "SELECT append(false, ARRAY[tenant_id], '{}', '{}', '{1}', '{touchpoint-1}', ARRAY[gen_random_uuid()],"
        " '{test.done}', '{1}', ARRAY[now()], ARRAY['{}'::bytea], ARRAY[NULL::bytea], ARRAY['{}'::bytea],"
        " ARRAY['f'::bytea], '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}') FROM tenant"
    )
    with embedded.servers(data) as servers:
        migrate.up(servers.admin_url, tmp_path)
        async with await open_pool(servers.admin_url) as pool:
            tenant_id = (await tenants.add(pool, name="A", master=bytes(32))).tenant_id
            async with in_tenant(pool, tenant_id) as connection:
                await connection.execute(appended)
    with embedded.servers(data) as servers:
        embedded.prepare(data, servers)
        urls = {"database_url": servers.database_url, "redis_url": servers.redis_url}
        async with open_context(**urls, master=bytes(32)) as context:
            assert (await context.writer.append(one_event(tenant_id))).position == 2
            async with in_tenant(context.pool, tenant_id) as connection:
                [verdict] = await append_now(connection, [one_event(tenant_id)], waits=True)
                assert verdict.position == 3
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(appended)


async def test_data_and_ports_are_the_same_the_next_time(data):
    with embedded.servers(data) as before:
        await ask(postgres_of(before.admin_url), "CREATE TABLE kept AS SELECT 42 AS answer")
    with embedded.servers(data) as after:
        assert after == before
        assert await ask(postgres_of(after.admin_url), "SELECT answer FROM kept") == 42


@STARTED_BEFORE
async def test_a_port_that_was_taken_meanwhile_is_given_up(data):
    with embedded.servers(data):
        port = embedded.state(data).postgres_port
    with socket.create_server(("127.0.0.1", port)), embedded.servers(data) as servers:
        assert embedded.state(data).postgres_port != port
        assert await ask(postgres_of(servers.admin_url), "SELECT 1") == 1


@STARTED_BEFORE
def test_a_second_user_shares_the_servers_and_the_last_one_stops_them(data, eventually):
    with embedded.servers(data) as first:
        pids = embedded.state(data)
        second = embedded.servers(data)
        assert second.__enter__() == first
        assert embedded.state(data) == pids
    assert ping(first.redis_url)
    second.__exit__(None, None, None)
    eventually(lambda: processes(data) == [])


def test_many_users_at_once_start_one_pair(data, eventually):
    script = USER + "with embedded.servers(DataFolder(Path(sys.argv[1]))) as s: print(s.redis_url)"
    command = [sys.executable, "-c", script, str(data.root)]
    users = [subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    told = [user.communicate()[0] for user in users]
    assert [user.returncode for user in users] == [0, 0, 0, 0]
    assert len(set(told)) == 1
    eventually(lambda: processes(data) == [])


@STARTED_BEFORE
def test_a_user_that_is_killed_leaves_no_servers(data, eventually):
    script = USER + "with embedded.servers(DataFolder(Path(sys.argv[1]))): print('there', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", script, str(data.root)]
    with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as user:
        assert user.stdout.readline() == b"there\n"
        user.kill()
    eventually(lambda: processes(data) == [])


@STARTED_BEFORE
async def test_a_killed_postmaster_is_started_again_with_its_data(data, eventually):
    with embedded.servers(data) as servers:
        await ask(postgres_of(servers.admin_url), "CREATE TABLE kept AS SELECT 42 AS answer")
        killed = embedded.state(data).postgres
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: embedded.state(data).postgres not in (None, killed))
        assert embedded.where(data) == servers
        assert await ask(postgres_of(servers.admin_url), "SELECT answer FROM kept") == 42


@STARTED_BEFORE
def test_a_killed_valkey_is_started_again(data, eventually):
    with embedded.servers(data) as servers:
        killed = embedded.state(data).valkey
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: embedded.state(data).valkey not in (None, killed))
        assert ping(servers.redis_url)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
@STARTED_BEFORE
def test_a_killed_keeper_takes_its_servers_with_it(data, eventually):
    with embedded.servers(data) as servers:
        keeper = embedded.state(data).keeper
        os.kill(keeper, signal.SIGKILL)
        eventually(lambda: processes(data) == [])
        embedded.start(data)
        assert embedded.state(data).keeper != keeper
        assert embedded.where(data) == servers
        assert ping(servers.redis_url)


@STARTED_BEFORE
async def test_what_a_crash_of_the_machine_left_behind_does_not_matter(data):
    with embedded.servers(data):
        pass
    stale = data.root / "postgres" / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{stale.parent}\n1\n1\n\n127.0.0.1\n 1 1\nready\n")
    with embedded.servers(data) as servers:
        assert await ask(postgres_of(servers.admin_url), "SELECT 1") == 1


def test_secrets_are_for_their_owner_alone(data):
    data.create()
    embedded.master_key(data)
    with embedded.servers(data):
        assert {file.stat().st_mode & 0o777 for file in data.keys.iterdir()} == {0o600}
        assert data.keys.stat().st_mode & 0o777 == 0o700


@STARTED_BEFORE
def test_a_lost_key_is_not_replaced_by_one_that_does_not_fit(data):
    data.create()
    embedded.master_key(data)
    with embedded.servers(data):
        pass
    (data.keys / "master.key").unlink()
    with pytest.raises(EmbeddedError, match=r"master\.key is gone"):
        embedded.master_key(data)


@STARTED_BEFORE
def test_a_server_that_does_not_start_says_why(data, eventually):
    with embedded.servers(data):
        pass
    (data.root / "postgres" / "PG_VERSION").write_text("9\n")
    with pytest.raises(EmbeddedError, match=r"PostgreSQL did not start[\s\S]*version"), embedded.servers(data):
        pass
    eventually(lambda: processes(data) == [])


def test_a_data_folder_that_cannot_be_made_is_refused():
    with pytest.raises(DataFolderError, match="/proc/rapport"), embedded.servers(DataFolder(Path("/proc/rapport"))):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a PostgreSQL that runs as somebody else")
async def test_root_may_keep_its_data_where_nobody_else_gets():
    closed = Path(tempfile.mkdtemp(prefix="rapport-test-"))
    data = DataFolder(closed / "data")
    try:
        with embedded.servers(data) as servers:
            assert await ask(postgres_of(servers.admin_url), "SELECT 1") == 1
            assert place(data).parent == cluster.OUTSIDE
        assert os.stat(closed).st_mode & 0o777 == 0o700
    finally:
        shutil.rmtree(place(data))
        shutil.rmtree(closed)
