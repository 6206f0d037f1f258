"""`rapport up`, with real processes, killed for real."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import asyncpg
import psutil
import pytest

from infra import embedded
from infra.data_folder import DataFolder
from services.demo import loading
from tests.conftest import migrated, temporary_folder
from tests.road import encoded_master_key

PROJECT = Path(__file__).parents[2]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("RAPPORT_")}

pytestmark = pytest.mark.slow
TOGETHER = pytest.mark.xdist_group("supervisor")  # one installation, which each of them leaves running


class Up:
    """One `rapport up`. `said` is what it printed until it was ready, or in all when it ended."""

    def __init__(self, data: DataFolder, port: int, *, demo: bool = False, **variables: str) -> None:
        self.data = data
        self.environment = {**ENVIRONMENT, **variables}
        self.address = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "services.cli", "up", "--port", str(port), "--data", str(data.root)]
        command += [] if demo else ["--no-demo"]
        self.process = subprocess.Popen(
            command, cwd=PROJECT, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.said = ""
        for line in self.process.stdout:
            self.said += line
            if "/v1/nudges" in line or "rapport tenant add" in line:
                break

    @property
    def key(self) -> str:
        found = re.search(r"API key: (\S+)", self.said)
        assert found is not None, self.said
        return found.group(1)

    def status(self) -> dict:
        command = [sys.executable, "-m", "services.cli", "status", "--json", "--data", str(self.data.root)]
        done = subprocess.run(command, cwd=PROJECT, env=self.environment, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def pids(self) -> dict[str, int]:
        return self.status()["processes"]

    def is_healthy(self) -> bool:
        try:
            return get(f"{self.address}/health/ready").status == 200
        except OSError:
            return False

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        self.process.stdout.read()
        return self.process.wait(30)


@pytest.fixture
def start(data) -> Iterator[Callable[..., Up]]:
    """Ends what it started before the data folders go."""
    started = []

    def start_up(data: DataFolder, port: int, *, demo: bool = False, **variables: str) -> Up:
        started.append(Up(data, port, demo=demo, **variables))
        return started[-1]

    yield start_up
    for up in started:
        if up.process.poll() is None:
            up.end()


@pytest.fixture(scope="module")
def running() -> Iterator[Up]:
    """One without anything made up, for tests that leave it as healthy as they found it."""
    with temporary_folder() as folder:
        up = Up(folder, free_port())
        yield up
        up.end()


@pytest.fixture
def port() -> int:
    return free_port()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def get(url: str, key: str = ""):
    return urlopen(Request(url, headers={"Authorization": f"Bearer {key}"}), timeout=5)  # noqa: S310


def add_shop(data: DataFolder) -> str:
    """A business of one's own; its API key."""
    command = [sys.executable, "-m", "services.cli", "tenant", "add", "My shop", "--json", "--data", str(data.root)]
    added = subprocess.run(command, cwd=PROJECT, env=ENVIRONMENT, check=True, capture_output=True)
    return str(json.loads(added.stdout)["api_key"])


def descendants(up: Up) -> list[psutil.Process]:
    """Its processes and their children; the servers' keeper is one of them."""
    return psutil.Process(up.process.pid).children(recursive=True)


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


async def ask(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def test_what_up_prints_works_and_ctrl_c_leaves_nothing_behind(start, data, port):
    up = start(data, port, demo=True)
    assert up.is_healthy()
    assert get(f"{up.address}/v1/contacts", up.key).status == 200
    family = descendants(up)
    assert {"api", "worker", "postgres", "valkey"} == {name for name, pid in up.pids().items() if pid}
    assert up.end(signal.SIGINT) == 0
    assert alive(family) == []
    assert not any(up.pids().values())


@TOGETHER
async def test_two_instances_do_not_meet(running, start, data, port):
    key = add_shop(data)
    one, other = running, start(data, port)
    assert one.is_healthy()
    assert set(one.pids().values()).isdisjoint(other.pids().values())
    assert get(f"{other.address}/v1/contacts", key).status == 200
    with pytest.raises(HTTPError, match="401"):
        get(f"{one.address}/v1/contacts", key)
    await ask(one.status()["admin_url"], "CREATE TABLE public.only_here ()")
    assert await ask(other.status()["admin_url"], "SELECT to_regclass('public.only_here')") is None


@TOGETHER
async def test_whatever_is_killed_comes_back_at_the_same_place(running, eventually):
    up = running
    before = up.status()
    await ask(before["admin_url"], "CREATE TABLE public.kept AS SELECT 42 AS answer")
    for name, killed in before["processes"].items():
        os.kill(killed, signal.SIGKILL)
        eventually(lambda name=name, killed=killed: up.pids()[name] not in (None, killed), seconds=60)
        eventually(up.is_healthy, seconds=60)
    after = up.status()
    assert {name: value for name, value in after.items() if name != "processes"} == {
        name: value for name, value in before.items() if name != "processes"
    }
    assert await ask(after["admin_url"], "SELECT answer FROM public.kept") == 42
    assert up.is_healthy()


@TOGETHER
def test_a_killed_keeper_of_the_servers_is_replaced(running, eventually):
    up, data = running, running.data
    servers = up.status()["database_url"]
    killed = embedded.state(data).keeper
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: embedded.state(data).keeper != killed and embedded.state(data).ready)
    eventually(up.is_healthy)
    assert up.status()["database_url"] == servers


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_a_killed_supervisor_takes_everything_with_it(start, data, port, eventually):
    up = start(data, port)
    family = descendants(up)
    up.end(signal.SIGKILL)
    eventually(lambda: alive(family) == [])
    again = start(data, port)
    assert again.is_healthy()


def test_a_second_ctrl_c_does_not_wait_for_the_worker(start, data, port):
    up = start(data, port)
    family = descendants(up)
    deaf = up.pids()["worker"]
    os.kill(deaf, signal.SIGSTOP)  # it will not stop by itself
    up.process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    began = time.monotonic()
    assert up.end(signal.SIGINT) == 0
    assert time.monotonic() - began < 5
    assert alive(family) == []


def test_a_taken_port_is_refused_in_a_sentence(start, data, port):
    with socket.create_server(("127.0.0.1", port)):
        up = start(data, port)
        assert up.process.wait(10) == 1
    assert f"port {port}" in up.said
    assert "--port" in up.said
    assert "Traceback" not in up.said
    assert not embedded.runs(data)


@TOGETHER
def test_a_data_folder_has_one_up_only(running, start, port):
    first = running
    second = start(first.data, port)
    assert second.process.wait(10) == 1
    assert first.address in second.said
    assert first.is_healthy()


@TOGETHER
def test_commands_use_the_servers_of_an_up_and_leave_them_running(running):
    up = running
    before = up.pids()
    command = [sys.executable, "-m", "services.cli", "migrate", "--data", str(up.data.root)]
    assert subprocess.run(command, cwd=PROJECT, env=ENVIRONMENT, check=True).returncode == 0
    assert up.pids() == before
    assert up.is_healthy()


async def test_your_own_servers_are_used_and_none_is_started(start, data, port, servers):
    async with migrated(servers) as database:
        use_own_servers(start, data, port, database, servers)


def use_own_servers(start, data, port, database, servers):
    own = {
        "RAPPORT_DATABASE_URL": database.app_url,
        "RAPPORT_ADMIN_DATABASE_URL": database.admin_url,
        "RAPPORT_REDIS_URL": servers.redis_url,
        "RAPPORT_MASTER_KEY": encoded_master_key(),
    }
    up = start(data, port, **own)
    assert up.is_healthy()
    assert not (data.root / "postgres").exists()
    assert up.status()["admin_url"] is None
    assert (up.pids()["postgres"], up.pids()["valkey"]) == (None, None)
    api = psutil.Process(up.pids()["api"])
    assert "RAPPORT_ADMIN_DATABASE_URL" not in api.environ()
    assert up.end() == 0


def test_another_master_key_than_the_databases_is_refused_in_a_sentence(road, bakery, data, port, database, servers):
    own = {
        "RAPPORT_DATABASE_URL": database.app_url,
        "RAPPORT_ADMIN_DATABASE_URL": database.admin_url,
        "RAPPORT_REDIS_URL": servers.redis_url,
        "RAPPORT_MASTER_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    }
    up = Up(data, port, **own)
    assert up.process.wait(timeout=60) == 1
    assert "Is RAPPORT_MASTER_KEY that of this database?" in up.said
    assert "Traceback" not in up.said


def test_the_made_up_practice_is_loaded_once_also_when_up_is_ended_meanwhile(start, data, port, eventually):
    up = start(data, port, demo=True)
    eventually(lambda: json.load(get(f"{up.address}/v1/contacts", up.key))["items"], seconds=120)
    servers = up.status()
    assert up.end(signal.SIGTERM) == 0
    again = start(data, port, demo=True)
    assert again.key == up.key
    assert [again.status()[name] for name in ("database_url", "redis_url")] == [
        servers[name] for name in ("database_url", "redis_url")
    ]
    eventually(lambda: loading.state(data).loaded, seconds=240)
    assert len(json.load(get(f"{again.address}/v1/contacts?limit=200", again.key))["items"]) > 40


def test_nothing_made_up_comes_beside_a_business_of_your_own(start, data, port):
    add_shop(data)
    up = start(data, port, demo=True)
    assert "rapport_live_" not in up.said
    assert up.is_healthy()
    assert loading.state(data) is None
