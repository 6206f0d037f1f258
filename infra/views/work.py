"""The work still to be done: how far each process is behind, over all tenants."""

from msgspec import Struct

from infra.database import Pool, queries


class Lag(Struct, frozen=True):
    """Events the live build of a process has still to read, and events parked in any build, over all tenants."""

    process: str
    lag: int
    parked: int


async def lags(pool: Pool) -> list[Lag]:
    """By process, in alphabetical order."""
    async with pool.acquire() as connection:
        rows = await connection.fetch(queries("projector").lags)
    return [
        Lag(
            process,
            sum(row["lag"] for row in rows if row["process"] == process and row["live"]),
            sum(row["parked"] for row in rows if row["process"] == process),
        )
        for process in sorted({row["process"] for row in rows})
    ]
