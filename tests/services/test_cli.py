"""The command `rapport`, called as a person calls it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra import embedded

PROJECT = Path(__file__).parents[2]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("RAPPORT_")}
OWN = {
    "RAPPORT_DATABASE_URL": "postgresql://rapport_app@127.0.0.1:1/rapport",
    "RAPPORT_REDIS_URL": "redis://127.0.0.1:1/0",
    "RAPPORT_MASTER_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
}


def rapport(*words: object, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "services.cli", *map(str, words)]
    environment = {**ENVIRONMENT, **variables}
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)


IMPORTED = """
import sys
from services import cli
{}
print(*sorted({{name.partition(".")[0] for name in sys.modules}} & {{*{!r}}}), file=sys.stderr)
"""
LARGE = ["aiohttp", "arq", "asyncpg", "cryptography", "granian", "holidays", "jwt", "litestar", "phonenumbers"]
LARGE += ["prometheus_client", "psutil", "rapidfuzz", "redis", "stamina", "structlog", "uvloop"]


def imported(doing: str, wanted: list[str]) -> list[str]:
    """What of it is imported by doing something in a new process."""
    command = [sys.executable, "-c", IMPORTED.format(doing, wanted)]
    done = subprocess.run(command, cwd=PROJECT, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    return done.stderr.split()


def test_help_imports_nothing_large():
    assert imported("cli.call(['--help'])", [*LARGE, "asyncio", "domain", "infra"]) == []


def test_commands_about_one_tenant_import_neither_the_api_nor_what_few_of_them_need():
    few = ["aiohttp", "arq", "granian", "holidays", "jwt", "litestar", "phonenumbers", "psutil", "redis", "uvloop"]
    assert imported("from services import modelling, office", few) == []


@pytest.mark.parametrize("words", [["fly"], ["status", "--jason"], ["up", "--port", "eighty"], ["migrate", "--data"]])
def test_a_wrong_call_is_a_usage_error(words):
    done = rapport(*words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["up", "migrate", "api", "worker", "status"])
def test_a_misspelt_setting_stops_every_command(command, data):
    done = rapport(command, "--data", data.root, RAPPORT_PROT="8010")
    assert done.returncode == 1
    assert done.stderr == "RAPPORT_PROT is not a setting. Did you mean RAPPORT_PORT? See docs/settings.md.\n"


def test_a_port_out_of_range_is_refused_in_a_sentence(data):
    done = rapport("up", "--port", 70000, "--data", data.root)
    assert done.returncode == 1
    assert done.stderr.startswith("RAPPORT_PORT cannot be used")
    assert done.stderr.count("\n") == 1


def test_own_servers_that_do_not_answer_are_named(data):
    done = rapport("migrate", "--data", data.root, **OWN)
    assert done.returncode == 1
    assert "127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr


def test_migrate_starts_the_servers_and_stops_them(data):
    done = rapport("migrate", "--data", data.root)
    assert (done.returncode, done.stdout) == (0, "The database is up to date.\n")
    assert not embedded.runs(data)


def test_status_of_nothing(data):
    done = rapport("status", "--json", "--data", data.root)
    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "address": None,
        "database_url": None,
        "admin_url": None,
        "redis_url": None,
        "processes": {"api": None, "worker": None, "postgres": None, "valkey": None},
        "lags": [],
    }


def test_status_tells_where_the_servers_are_and_shows_people_no_password(data):
    with embedded.servers(data) as servers:
        told = json.loads(rapport("status", "--json", "--data", data.root).stdout)
        shown = rapport("status", "--data", data.root).stdout
    assert (told["database_url"], told["admin_url"]) == (servers.database_url, servers.admin_url)
    assert told["redis_url"] == servers.redis_url
    assert told["processes"]["postgres"]
    assert "rapport_app:" not in shown


def test_the_doctor_finds_nothing_wrong_with_a_good_installation(data):
    assert rapport("migrate", "--data", data.root).returncode == 0
    done = rapport("doctor", "--data", data.root, "--port", 18_123)
    assert "WRONG" not in done.stdout
    assert "The role rapport_writer appends for every business, and can do nothing else." in done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"RAPPORT_PROT": "1"}, "Did you mean RAPPORT_PORT?"),
        ({**OWN, "RAPPORT_MASTER_KEY": ""}, "RAPPORT_MASTER_KEY is missing"),
        (OWN, "PostgreSQL cannot be reached"),
        (OWN, "Valkey cannot be reached"),
        ({"RAPPORT_HOST": "192.0.2.1"}, "Nothing can listen on 192.0.2.1"),
    ],
)
def test_the_doctor_says_what_is_wrong(data, variables, says):
    done = rapport("doctor", "--data", data.root, **variables)
    assert done.returncode == 1
    assert says in done.stdout
    assert "Traceback" not in done.stderr


def test_the_doctor_sees_secrets_that_others_can_read(data):
    data.create()
    embedded.master_key(data)
    (data.keys / "master.key").chmod(0o644)
    done = rapport("doctor", "--data", data.root, "--port", 18_123)
    assert done.returncode == 1
    assert "chmod go-rwx" in done.stdout


def test_the_doctor_says_where_the_database_is_when_it_is_not_in_the_data_folder(data, other_data):
    data.create()
    assert other_data.root.name not in rapport("doctor", "--data", data.root).stdout
    (data.root / "postgres").symlink_to(other_data.root / "gone")
    said = rapport("doctor", "--data", data.root).stdout
    assert (
        f"The database's files are in {other_data.root}/gone: who removes {data.root} has to remove them too." in said
    )


async def test_the_doctor_warns_of_a_superuser(servers, data):
    own = {**OWN, "RAPPORT_DATABASE_URL": servers.admin_url, "RAPPORT_REDIS_URL": servers.redis_url}
    assert rapport("migrate", "--data", data.root, **own).returncode == 0
    done = rapport("doctor", "--data", data.root, "--port", 18_123, **own)
    assert done.returncode == 1
    assert "superuser" in done.stdout
    assert "WRONG  The role postgres appends for every business." in done.stdout
    assert "WRONG  The role postgres can do more than append. See RAPPORT_WRITER_DATABASE_URL." in done.stdout


async def test_the_doctor_sees_a_writer_that_cannot_log_in_and_one_that_is_another_role(database, servers, data):
    own = {**OWN, "RAPPORT_DATABASE_URL": database.app_url, "RAPPORT_REDIS_URL": servers.redis_url}
    own["RAPPORT_ADMIN_DATABASE_URL"] = database.admin_url
    fine = rapport("doctor", "--data", data.root, "--port", 18_123, **own)
    assert "ok     The role rapport_app appends within a business only." in fine.stdout
    assert "ok     The role rapport_writer appends for every business, and can do nothing else." in fine.stdout
    assert fine.returncode == 0
    wrong = {
        "PostgreSQL cannot be reached as the writer": "postgresql://rapport_writer:x@127.0.0.1:1/rapport",
        "The role rapport_app may not append. See RAPPORT_WRITER_DATABASE_URL": database.app_url,
    }
    for says, url in wrong.items():
        done = rapport("doctor", "--data", data.root, "--port", 18_123, **own, RAPPORT_WRITER_DATABASE_URL=url)
        assert says in done.stdout
        assert done.returncode == 1
