"""`rapport doctor`: what is wrong with this installation, in sentences that say what to do."""

import asyncio
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping

import asyncpg
from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import RedisError

from infra import embedded, migrate, ports, settings
from infra.data_folder import DataFolder, DataFolderError
from infra.database import GONE, queries
from infra.embedded import EmbeddedError
from infra.migrate import MigrationError
from infra.settings import Settings, SettingsError, Typed
from services import supervisor

OLDEST_PYTHON, OLDEST_POSTGRES = (3, 11), 18
LEAST_SPACE = 1_000_000_000


class Finding(Struct, frozen=True):
    fine: bool
    text: str


def examine(environ: Mapping[str, str]) -> int:
    """Print what was found; the exit code, 1 when something is wrong."""
    findings = []
    for finding in look(environ):
        print(f"{'ok   ' if finding.fine else 'WRONG'}  {finding.text}")
        findings.append(finding)
    wrong = sum(not finding.fine for finding in findings)
    print("Nothing is wrong." if not wrong else f"Wrong: {wrong}.")
    return 1 if wrong else 0


def look(environ: Mapping[str, str]) -> Iterator[Finding]:
    yield Finding(sys.version_info >= OLDEST_PYTHON, f"Python {platform.python_version()}; 3.11 or newer is needed.")
    try:
        typed = settings.typed(environ)
        if typed.database_url:
            settings.load(environ)
    except SettingsError as refusal:
        yield Finding(False, str(refusal))
        return
    yield Finding(True, "The settings can be used.")
    yield from look_at_folder(typed)
    yield look_at_port(typed)
    if typed.database_url:
        yield from asyncio.run(look_at_servers(settings.load(environ), "rapport migrate"))
    else:
        yield from look_at_embedded(typed, environ)


def look_at_folder(typed: Typed) -> Iterator[Finding]:
    data = DataFolder(typed.data)
    try:
        data.create()
    except DataFolderError as refusal:
        yield Finding(False, str(refusal))
        return
    yield Finding(True, f"The data folder {data.root} can be written.")
    for private in (data.keys, *data.keys.iterdir()):
        if private.stat().st_mode & 0o077:
            yield Finding(False, f"Others can read {private}, which holds secrets: chmod go-rwx {private}")
    elsewhere = data.root / "postgres"
    if elsewhere.is_symlink():
        where = elsewhere.readlink()
        yield Finding(True, f"The database's files are in {where}: who removes {data.root} has to remove them too.")
    free = shutil.disk_usage(data.root).free
    yield Finding(free >= LEAST_SPACE, f"{free / 1e9:.1f} GB are free on its disk; 1 GB is needed.")


def look_at_port(typed: Typed) -> Finding:
    address = supervisor.state(DataFolder(typed.data)).address
    if address == typed.address:
        return Finding(True, f"Rapport runs at {address}.")
    try:
        ports.refuse_taken(typed.host, typed.port)
    except ports.PortTaken as refusal:
        return Finding(False, str(refusal))
    return Finding(True, f"Port {typed.port} of {typed.host} is free.")


def look_at_embedded(typed: Typed, environ: Mapping[str, str]) -> Iterator[Finding]:
    data = DataFolder(typed.data)
    if not (data.root / "postgres").exists():
        yield Finding(True, "Nothing was started on this data folder so far: rapport up does it.")
        return
    try:
        key = {} if typed.master_key else {"RAPPORT_MASTER_KEY": embedded.master_key(data)}
        with embedded.servers(data) as servers:
            configured = settings.load({**servers.environment(), **key, **environ})
            yield from asyncio.run(look_at_servers(configured, "rapport up"))
    except EmbeddedError as refusal:
        yield Finding(False, str(refusal))


async def look_at_servers(configured: Settings, remedy: str) -> list[Finding]:
    return [
        look_at_migrations(configured, remedy),
        *await look_at_postgres(configured),
        await look_at_valkey(configured),
        Finding(True, "The master key is there. Keep a copy of it apart from the database's backups."),
    ]


def look_at_migrations(configured: Settings, remedy: str) -> Finding:
    try:
        pending = migrate.pending(configured.admin_url)
    except MigrationError as refusal:
        return Finding(False, f"{refusal} If the database was never made: {remedy}.")
    return Finding(pending == 0, f"Migrations still to be applied: {pending}." + (f" Do: {remedy}" if pending else ""))


async def look_at_postgres(configured: Settings) -> list[Finding]:
    try:
        found = await _asked(configured.database_url, queries("doctor").who_we_are)
        appending = await _asked(configured.database_url, queries("doctor").more_than_a_writer)
    except (*GONE, asyncpg.PostgresError) as error:
        return [Finding(False, f"PostgreSQL cannot be reached as the application: {error}. See RAPPORT_DATABASE_URL.")]
    assert found is not None  # noqa: S101
    role, above = found["role"], found["above_the_walls"]
    return [
        Finding(found["version"] >= OLDEST_POSTGRES, f"PostgreSQL {found['version']} answers; 18 or newer is needed."),
        Finding(
            not above, f"The role {role} is {'a superuser or bypasses' if above else 'held by'} row-level security."
        ),
        *([look_at_application(appending)] if appending else []),
        *await look_at_writer(configured),
    ]


def look_at_application(found: asyncpg.Record) -> Finding:
    return Finding(
        not found["appends"],
        f"The role {found['role']} appends {'for every business' if found['appends'] else 'within a business only'}.",
    )


async def look_at_writer(configured: Settings) -> list[Finding]:
    """Nothing to say of a database that is not migrated: that is said already."""
    try:
        found = await _asked(configured.writer_url, queries("doctor").more_than_a_writer)
    except (*GONE, asyncpg.PostgresError) as error:
        advice = "See RAPPORT_WRITER_DATABASE_URL; rapport migrate --set-password gives it its password."
        return [Finding(False, f"PostgreSQL cannot be reached as the writer: {error}. {advice}")]
    if found is None:
        return []
    role = found["role"]
    if not found["appends"]:
        return [Finding(False, f"The role {role} may not append. See RAPPORT_WRITER_DATABASE_URL.")]
    if found["more"]:
        return [Finding(False, f"The role {role} can do more than append. See RAPPORT_WRITER_DATABASE_URL.")]
    return [Finding(True, f"The role {role} appends for every business, and can do nothing else.")]


async def _asked(url: str, query: str) -> asyncpg.Record | None:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return await connection.fetchrow(query)
    finally:
        await connection.close()


async def look_at_valkey(configured: Settings) -> Finding:
    client = Redis.from_url(configured.redis_url, socket_connect_timeout=5, socket_timeout=5)
    try:
        await client.ping()
    except (RedisError, OSError) as error:
        return Finding(False, f"Valkey cannot be reached: {error}. See RAPPORT_REDIS_URL.")
    finally:
        await client.aclose()
    return Finding(True, "Valkey answers.")
