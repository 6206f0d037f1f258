"""The road of an evaluation: a scratch database, every contact told through the commands, states read as stored.

All of a set is one business whose contacts are the pairs of people in it: what a relationship is depends on its own
touches alone and looks the same from both sides, given and received mirrored. So each contact is told once, not from
both sides by hundreds of businesses, and stands in two lists: those of the two people.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import asyncpg
import uuid_utils.compat as uuid_utils
from msgspec import Struct

from domain.errors import Refused
from domain.relationships import Relationship
from domain.touchpoints import RecordTouchpoint, Reference
from infra import commands, migrate, projector, tenants
from infra.context import Context, open_context
from infra.database import in_tenant
from infra.projections import relationships
from infra.settings import Settings
from infra.stored_events import Origin
from infra.tenants import Tenant
from services.evaluation.files import Exchange

ORIGIN = Origin(actor="evaluation", source="cli")
AT_ONCE, SIDE_BY_SIDE = 1_000, 4
PLATFORM = "pair"

Pair = tuple[str, str]
Told = Callable[[int], None]


class NotTold(Refused):
    """The road did not take what it was given. The text says what."""


def pair_of(exchange: Exchange) -> Pair:
    one, other = exchange.sender, exchange.receiver
    return (one, other) if one <= other else (other, one)


@asynccontextmanager
async def scratch(configured: Settings) -> AsyncIterator[Context]:
    """A migrated database of its own on the same server, gone at the end, however that comes."""
    name = f"rapport_evaluation_{uuid_utils.uuid7().hex}"
    urls = (configured.admin_url, configured.database_url, configured.writer_url)
    admin_url, app_url, writer_url = (_another(url, name) for url in urls)
    try:
        await asyncio.to_thread(migrate.up, admin_url)
        async with open_context(
            database_url=app_url,
            writer_url=writer_url,
            redis_url=configured.redis_url,
            master=configured.master_key,
        ) as context:
            yield context
    finally:
        connection = await asyncpg.connect(_another(configured.admin_url, "postgres"))
        try:
            await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        finally:
            await connection.close()


def _another(url: str, name: str) -> str:
    """The same server's database of this name."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


async def caught_up(context: Context) -> None:
    """Bring every view to the end of the log, as the workers do."""
    while await projector.advance(context):
        pass


class Road(Struct):
    """One business, and who its contacts are. Pairs are numbered, as platforms fold the case of handles."""

    context: Context
    tenant: Tenant
    pairs: dict[Pair, int] = {}
    contacts: dict[UUID, Pair] = {}

    async def tell(self, exchanges: Sequence[Exchange], told: Told) -> None:
        """Record them all, and wait until every view has them. Raises NotTold."""
        for start in range(0, len(exchanges), AT_ONCE * SIDE_BY_SIDE):
            some = exchanges[start : start + AT_ONCE * SIDE_BY_SIDE]
            parts = [some[at : at + AT_ONCE] for at in range(0, len(some), AT_ONCE)]
            for part in await asyncio.gather(*(self._record(part) for part in parts)):
                told(part)
        await asyncio.gather(*(caught_up(self.context) for _ in range(2)))

    async def _record(self, exchanges: Sequence[Exchange]) -> int:
        items = [self._touchpoint(one) for one in exchanges]
        recorded = await commands.record_touchpoints(self.context, self.tenant, items, origin=ORIGIN)
        for one, exchange in zip(recorded, exchanges, strict=True):
            if one.status != "recorded":
                raise NotTold(
                    f"a contact of {datetime.fromtimestamp(exchange.at, UTC)} was {one.status}: {one.problem}"
                )
            self.contacts[one.contact_ids[0]] = pair_of(exchange)
        return len(exchanges)

    def _touchpoint(self, exchange: Exchange) -> RecordTouchpoint:
        pair = pair_of(exchange)
        number = self.pairs.setdefault(pair, len(self.pairs))
        return RecordTouchpoint(
            kind=exchange.kind,  # type: ignore[arg-type]
            occurred_at=datetime.fromtimestamp(exchange.at, UTC),
            channel=exchange.channel,
            direction="mutual" if exchange.mutual else "out" if exchange.sender == pair[0] else "in",
            people=(Reference(platform=PLATFORM, handle=str(number)),),
            minutes=exchange.minutes,
        )

    async def states(self) -> dict[Pair, Relationship]:
        """Every relationship as it is stored now."""
        async with in_tenant(self.context.pool, self.tenant.tenant_id) as connection:
            stored = await relationships.states(connection, self.tenant.tenant_id)
        return {self.contacts[who]: one for who, one in stored.items()}


async def opened(context: Context, name: str) -> Road:
    added = await tenants.add(context.pool, name=name[:200], master=context.master)
    tenant = await tenants.load(context.pool, added.tenant_id, master=context.master)
    if tenant is None:
        raise NotTold("the business that was just added is not there")
    return Road(context, tenant, {}, {})
