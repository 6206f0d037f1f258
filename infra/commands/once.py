"""Once for each Idempotency-Key, where what is done is plain rows: a repeat has the first answer."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
from msgspec import Struct

from domain.errors import Conflict
from infra.context import Context
from infra.database import Connection, in_tenant, queries
from infra.stored_events import CANONICAL, keyed_id
from infra.tenants import Tenant

Answer = TypeVar("Answer", bound=Struct)


async def once(
    context: Context,
    tenant: Tenant,
    route: str,
    command: Struct,
    act: Callable[[Connection], Awaitable[Answer]],
    *,
    answers: type[Answer],
    idempotency_key: str | None,
) -> Answer:
    """Do it in one transaction. The answer is kept, sealed, under the key; without a key nothing is kept.

    Raises what `act` raises, and then the key is not used; Conflict for other content under the same key.
    """
    async with in_tenant(context.pool, tenant.tenant_id) as connection:
        if idempotency_key is None:
            return await act(connection)
        request_id = keyed_id(tenant, route, idempotency_key)
        fingerprint = tenant.keys.fingerprint(CANONICAL.encode([route, command]))
        sql = queries("requests")
        if await connection.fetchval(sql.take, tenant.tenant_id, request_id, fingerprint) is None:
            [known] = await connection.fetch(sql.answered, tenant.tenant_id, request_id)
            if known["fingerprint"] != fingerprint:
                raise Conflict("this Idempotency-Key was used before, with other content", field="Idempotency-Key")
            return msgspec.json.decode(tenant.unseal("request", request_id, known["answer"]), type=answers)
        answer = await act(connection)
        sealed = tenant.seal("request", request_id, msgspec.json.encode(answer))
        await connection.execute(sql.answer, tenant.tenant_id, request_id, sealed)
        return answer
