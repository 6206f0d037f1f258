"""The application's role on somebody's own PostgreSQL server."""

from urllib.parse import unquote, urlsplit

import asyncpg

from infra.database import GONE, queries
from infra.migrate import MigrationError


async def set_password(admin_url: str, application_url: str) -> None:
    """Give the application's role the password that is in its own url. Raises MigrationError."""
    wanted = urlsplit(application_url)
    if wanted.username != "rapport_app" or not wanted.password:
        raise MigrationError("RAPPORT_DATABASE_URL names no password of rapport_app that could be set.")
    try:
        connection = await asyncpg.connect(admin_url, timeout=10)
        try:
            await connection.execute(await connection.fetchval(queries("roles").set_password, unquote(wanted.password)))
        finally:
            await connection.close()
    except (*GONE, asyncpg.PostgresError) as error:
        raise MigrationError(f"rapport_app could not be given its password: {error}") from None
