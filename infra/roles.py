"""The roles the application logs in as, on somebody's own PostgreSQL server."""

from urllib.parse import unquote, urlsplit

import asyncpg

from infra.database import GONE, queries
from infra.migrate import MigrationError

SET_IN = {"rapport_app": "RAPPORT_DATABASE_URL", "rapport_writer": "RAPPORT_WRITER_DATABASE_URL"}


async def set_password(admin_url: str, url: str, *, role: str = "rapport_app") -> None:
    """Give a role of ours the password that is in its own url. Raises MigrationError."""
    wanted = urlsplit(url)
    if wanted.username != role or not wanted.password:
        raise MigrationError(f"{SET_IN[role]} names no password of {role} that could be set.")
    try:
        connection = await asyncpg.connect(admin_url, timeout=10)
        try:
            statement = await connection.fetchval(queries("roles").set_password, role, unquote(wanted.password))
            await connection.execute(statement)
        finally:
            await connection.close()
    except (*GONE, asyncpg.PostgresError) as error:
        raise MigrationError(f"{role} could not be given its password: {error}") from None
