"""The inbox: each message that comes to a source is kept first, once, and then becomes what its adapter makes of it.

What is recorded has ids made of the source and the sender's id of the message: whatever dies in between, a worker takes
the message up again and nothing is recorded twice. What cannot be mapped waits in the quarantine with its reason.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote_to_bytes
from uuid import UUID

import asyncpg
import msgspec
import structlog
import uuid_utils.compat as uuid_utils
from msgspec import Struct
from msgspec.structs import replace
from prometheus_client import Counter

from domain import adapters, appointments, bodies, signatures, touchpoints
from domain.adapters import ADAPTERS
from domain.adapters.outcomes import (
    CallBack,
    Challenge,
    Command,
    Commands,
    Message,
    NotCome,
    Nothing,
    Outcome,
    Unmapped,
)
from domain.appointments import PlanAppointment, TellMissed
from domain.bodies import MOST_VALUES, TooLarge, Unreadable
from domain.errors import Conflict, Invalid, Refused
from domain.signatures import Signed
from domain.sources import KEPT, LONGEST_ID, MessageState, check_depth
from domain.touchpoints import RecordTouchpoint
from domain.webhooks import live
from infra import sources, tenants
from infra.commands.appointments import Planned, appointment_id_of, plan_appointments, tell_missed
from infra.commands.touchpoints import Recorded, record_touchpoints
from infra.context import Context
from infra.database import GONE, Connection, enter, in_tenant, queries
from infra.egress import Egress
from infra.event_log import Unavailable
from infra.projection import told
from infra.sources import Source
from infra.stored_events import Origin
from infra.tenants import Tenant

SWEEP_SECONDS = 2.0
AT_ONCE = 4
FIRST_LEASE = timedelta(seconds=30)
MOST_ATTEMPTS = 8
CLEARED = 1_000
KEPT_ANSWER = 256_000
MOST_FIELDS = 500
AGENT = "Rapport-Webhooks/1"
# The headers that are kept with a message: none of them is a secret or a signature.
HEADERS = ("content-type", "user-agent", "webhook-id", "webhook-timestamp", "idempotency-key", "x-github-event")

log = structlog.get_logger()
RECEIVED = Counter("rapport_messages", "Webhooks that came in, by what became of them.", ["adapter", "state"])

_ANYTHING: msgspec.json.Decoder[object] = msgspec.json.Decoder()


class Content(Struct, frozen=True):
    """A message as it is kept, sealed."""

    headers: dict[str, str]
    content: str


_CONTENT = msgspec.json.Decoder(Content)


class Receipt(Struct, frozen=True):
    """The message's id, and what has become of it so far."""

    id: UUID
    state: MessageState


class Settled(Struct, frozen=True):
    """What became of a message."""

    state: MessageState
    reason: str | None = None
    touchpoint_ids: Sequence[UUID] = ()
    appointment_ids: Sequence[UUID] = ()
    position: int | None = None


async def receive(context: Context, token: str, signed: Signed) -> Receipt | Challenge:
    """Keep the message, and make of it what it is. The same one again changes nothing. Nothing of its content is read
    before its signature is checked.

    Raises Unverified for a wrong token as for a wrong signature; Unreadable, Invalid; Conflict for other content under
    the same id of the sender's.
    """
    now = datetime.now(UTC)
    source = await sources.source_at(context, token, signed)
    signatures.verify(signed, source.scheme, (secret.value for secret in live(source.secrets, now=now)), now=now)
    sources.check_known(source)
    identified = _identified(source, signed, now)
    if isinstance(identified, Challenge):
        return identified
    message_id = await _keep(context, source, signed, *identified)
    if isinstance(message_id, Receipt):
        return message_id
    context.bell.ring()
    state: MessageState = "received"
    if source.state == "active":
        try:
            state = await settle(context, source.tenant, message_id)
        except (*GONE, Unavailable) as error:
            log.warning("database_unavailable", error=type(error).__name__)
    return Receipt(message_id, state)


async def answers_check(context: Context, token: str) -> bool:
    """Whether this address is one whose sender looks with a GET whether anybody is here."""
    source = await sources.source_at(context, token, Signed(b"", {}, ""))
    return ADAPTERS[sources.check_known(source).adapter].checks


def read(adapter: adapters.Name, content: bytes) -> object:
    """The payload; a form as an object of its fields. Raises Unreadable, TooLarge."""
    if ADAPTERS[adapter].form:
        return _form(content)
    payload = bodies.decode(content, _ANYTHING)
    check_depth(payload)
    return payload


def _form(content: bytes) -> dict[str, str]:
    """The fields; of several of one name the last."""
    if content.count(b"%") > MOST_VALUES:
        raise TooLarge(f"a form holds at most {MOST_VALUES:,} characters written with %")
    bodies.refuse_strange_text(content)
    fields = [field.partition(b"=") for field in content.split(b"&", MOST_FIELDS)]
    if len(fields) > MOST_FIELDS or not all(equals for _, equals, _ in fields):
        raise Unreadable("this is not a form")
    return {_unquoted(name): _unquoted(value) for name, _, value in fields}


def _unquoted(written: bytes) -> str:
    return unquote_to_bytes(written.replace(b"+", b" ")).decode(errors="replace")


def _identified(source: Source, signed: Signed, now: datetime) -> Challenge | tuple[bytes, str]:
    """The digest of what the message says and its sender's id, or what it asks. Raises Unreadable, Invalid."""
    payload = read(source.adapter, signed.content)
    if source.adapter == "slack":
        asked = adapters.read(source.adapter, Message(payload, now))
        if isinstance(asked, Challenge):
            return asked
    digest = hashlib.sha256(adapters.same(source.adapter, payload, signed.content)).digest()
    return digest, _sender_id(source, payload, signed.headers) or f"sha256:{digest.hex()}"


async def _keep(context: Context, source: Source, signed: Signed, digest: bytes, sender_id: str) -> UUID | Receipt:
    """The new message's id, or what became of it when it came before."""
    tenant, message_id = source.tenant, uuid_utils.uuid7()
    kept = {name: signed.headers[name][:500] for name in HEADERS if name in signed.headers}
    content = msgspec.json.encode(Content(kept, signed.content.decode()))
    sealed = tenant.seal("inbox", message_id, content)
    sql = queries("inbox")
    async with in_tenant(context.pool, tenant.tenant_id) as connection:
        new = await connection.fetchval(
            sql.receive, tenant.tenant_id, source.source_id, message_id, sender_id, digest, FIRST_LEASE, sealed
        )
        known = None
        if new is None:
            known = await connection.fetchrow(sql.known, tenant.tenant_id, source.source_id, sender_id)
    if new is not None:
        return message_id
    if known is None:
        raise signatures.Unverified
    if known["digest"] != digest:
        RECEIVED.labels(source.adapter, "conflict").inc()
        log.warning("message_altered", tenant=str(tenant.tenant_id), source=str(source.source_id))
        raise Conflict("a message with this id came before, with other content", field="webhook-id")
    return Receipt(known["message_id"], known["state"])


def _sender_id(source: Source, payload: object, headers: Mapping[str, str]) -> str | None:
    """What the sender calls the message, where that is signed too or nothing is; so nobody else can make it new."""
    own_id = ADAPTERS[source.adapter].own_id(payload)
    if own_id is None and source.scheme in ("standard", "none"):
        own_id = headers.get("webhook-id") or headers.get("idempotency-key")
    if own_id is None:
        return None
    if not 1 <= len(own_id) <= LONGEST_ID or not own_id.isascii() or not own_id.isprintable():
        raise Invalid(f"an id is 1 to {LONGEST_ID} printable ASCII characters", field="webhook-id")
    return own_id


async def settle(context: Context, tenant: Tenant, message_id: UUID, egress: Egress | None = None) -> MessageState:
    """Make of a received message what its adapter says, and note it. What calls back, and has no way out, is left to a
    worker at once; what came to a suspended tenant waits."""
    if tenant.suspended:
        return "received"
    async with in_tenant(context.pool, tenant.tenant_id) as connection:
        row = await connection.fetchrow(queries("inbox").unsettled, tenant.tenant_id, message_id)
    if row is None:
        return "received"
    message = _message(tenant, row)
    outcome = adapters.read(row["adapter"], message)
    if isinstance(outcome, CallBack) and egress is None:
        async with in_tenant(context.pool, tenant.tenant_id) as connection:
            await connection.execute(queries("inbox").due_now, tenant.tenant_id, message_id)
        context.bell.ring()
        return "received"
    if isinstance(outcome, CallBack) and egress is not None:
        answered = await _called_back(egress, outcome.url, message.settings.get("token", ""), row["attempts"])
        if answered is None:
            return "received"
        if isinstance(answered, Unmapped):
            outcome = answered
        else:
            outcome = adapters.read(row["adapter"], replace(message, answered=answered))
    settled = await _settled(context, tenant, row, outcome)
    await _note(context, tenant, message_id, settled)
    RECEIVED.labels(row["adapter"], settled.state).inc()
    return settled.state


def _message(tenant: Tenant, row: asyncpg.Record) -> Message:
    content = content_of(tenant, row["message_id"], row["content"]).content.encode()
    settings = sources.settings_of(tenant, row["source_id"], row["settings"])
    return Message(read(row["adapter"], content), row["received_at"], row["mapping"], settings)


def content_of(tenant: Tenant, message_id: UUID, sealed: bytes) -> Content:
    return _CONTENT.decode(tenant.unseal("inbox", message_id, sealed))


async def _called_back(egress: Egress, url: str, token: str, attempts: int) -> object | None:
    """What is there; why it is not to be had; None where it is to be tried again later."""
    headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "identity", "User-Agent": AGENT}
    exchange = await egress.get(url, headers, kept=KEPT_ANSWER)
    status = exchange.answer.status
    if exchange.answer.good:
        try:
            answered = bodies.decode(exchange.body, _ANYTHING)
            check_depth(answered)
        except Invalid as error:
            return Unmapped(f"what was called back is unreadable: {error.reason}")
        return answered if answered is not None else {}
    passing = status is None or status == 429 or status >= 500
    if passing and exchange.answer.failure != "not_allowed" and attempts < MOST_ATTEMPTS:
        return None
    return Unmapped(f"asked for the details, {exchange.answer.words()}")


async def _settled(context: Context, tenant: Tenant, row: asyncpg.Record, outcome: Outcome) -> Settled:
    match outcome:
        case Commands(commands=()):
            return Settled("nothing", "it holds nothing")
        case Commands(commands=commands):
            return await _recorded(context, tenant, row, commands)
        case Nothing(reason=reason):
            return Settled("nothing", reason)
        case Unmapped(reason=reason):
            return Settled("quarantined", reason)
        case CallBack() | Challenge():
            return Settled("nothing", "asked and answered")


async def _recorded(context: Context, tenant: Tenant, row: asyncpg.Record, commands: Sequence[Command]) -> Settled:
    """By the one road, under ids that are the same however often it is done. All is checked before any is recorded."""
    said = named(commands, source_id=row["source_id"], sender_id=row["sender_id"])
    try:
        check(said, country=tenant.country, now=datetime.now(UTC))
    except Refused as refusal:
        return Settled("quarantined", in_one_line(refusal))
    origin = Origin(f"source:{row['source_id']}", "webhook", correlation=str(row["message_id"]))
    touches = [one for one in said if isinstance(one, RecordTouchpoint)]
    plans = [one for one in said if isinstance(one, PlanAppointment)]
    recorded = await record_touchpoints(context, tenant, touches, origin=origin)
    planned = await plan_appointments(context, tenant, plans, origin=origin)
    missed = [await _missed(context, tenant, one, row, origin=origin) for one in said if isinstance(one, NotCome)]
    done: list[Recorded | Planned] = [*recorded, *planned]
    problems = [one.problem for one in done if one.problem is not None]
    problems += [one for one in missed if isinstance(one, Refused)]
    if ADAPTERS[row["adapter"]].tells_again:
        problems = [one for one in problems if not isinstance(one, Conflict)]
    positions = [one.position for one in done if one.position is not None]
    positions += [one for _, one in (one for one in missed if not isinstance(one, Refused))]
    return Settled(
        "quarantined" if problems else "recorded",
        in_one_line(problems[0]) if problems else None,
        [one.event_id for one in recorded if one.event_id is not None],
        list(dict.fromkeys(one.appointment_id for one in planned if one.appointment_id is not None))
        + [one for one, _ in (one for one in missed if not isinstance(one, Refused))],
        max(positions, default=None),
    )


async def _missed(
    context: Context, tenant: Tenant, command: NotCome, row: asyncpg.Record, *, origin: Origin
) -> tuple[UUID, int] | Refused:
    appointment_id = appointment_id_of(tenant, source_name(row["source_id"]), command.source_id)
    told = TellMissed(by=command.by)
    try:
        done = await tell_missed(
            context, tenant, appointment_id, told, origin=origin, idempotency_key=str(row["message_id"])
        )
    except Refused as refusal:
        return refusal
    return appointment_id, done.position


def source_name(source_id: UUID) -> str:
    """What stands as the `source` of all that comes from it."""
    return f"in:{source_id}"


def named(commands: Sequence[Command], *, source_id: UUID, sender_id: str) -> list[Command]:
    """The commands under their source, and those without an id of their own counted."""
    source = source_name(source_id)
    return [
        one if isinstance(one, NotCome) else replace(one, source=source, source_id=one.source_id or f"{sender_id}/{n}")
        for n, one in enumerate(commands)
    ]


def check(commands: Sequence[Command], *, country: str, now: datetime) -> None:
    """Raises Invalid for the first that could not be recorded as it stands."""
    for n, one in enumerate(commands):
        try:
            match one:
                case RecordTouchpoint():
                    touchpoints.all_named(touchpoints.check(one, now=now), country=country)
                case PlanAppointment():
                    appointments.check_plan(one, now=now)
                case NotCome():
                    pass
        except Invalid as error:
            place = "" if len(commands) == 1 else f"[{n}]."
            raise Invalid(error.reason, field=f"{place}{error.field or ''}".rstrip(".") or None) from error


def in_one_line(refusal: Refused) -> str:
    return f"{refusal.field}: {refusal.reason}" if refusal.field else refusal.reason


async def _note(context: Context, tenant: Tenant, message_id: UUID, settled: Settled) -> None:
    async with in_tenant(context.pool, tenant.tenant_id) as connection:
        await connection.execute(
            queries("inbox").settle, tenant.tenant_id, message_id, settled.state, settled.reason,
            list(settled.touchpoint_ids), list(settled.appointment_ids), settled.position,
        )  # fmt: skip


async def clear(connection: Connection, tenant_id: UUID) -> bool:
    """Forget what came to its end long ago; whether there may be more of it."""
    cleared = await connection.fetch(queries("inbox").clear, tenant_id, KEPT, CLEARED)
    return len(cleared) == CLEARED


class Taker:
    """Takes up what waits in the inbox, for one process: what calls back, is replayed, or was left by a dead one."""

    def __init__(self, context: Context, egress: Egress) -> None:
        self._context = context
        self._egress = egress
        self._woken = [asyncio.Event() for _ in range(AT_ONCE)]

    def wake(self) -> None:
        for woken in self._woken:
            woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Until told to stop; what is under way then is finished."""
        stopping = asyncio.create_task(stop.wait())
        stopping.add_done_callback(lambda _: self.wake())
        try:
            await asyncio.gather(*(self._take_all(woken, stop) for woken in self._woken))
        finally:
            stopping.cancel()

    async def _take_all(self, woken: asyncio.Event, stop: asyncio.Event) -> None:
        while not stop.is_set():
            woken.clear()
            try:
                while not stop.is_set() and await take_up(self._context, self._egress):
                    pass
            except (*GONE, Unavailable) as error:
                log.warning("database_unavailable", error=type(error).__name__)
                await asyncio.sleep(0.5)
            try:
                async with asyncio.timeout(SWEEP_SECONDS):
                    await woken.wait()
            except TimeoutError:
                pass


async def take_up(context: Context, egress: Egress) -> bool:
    """Settle one message that is due; False when none is. One that fails is put off, and in the end quarantined."""
    async with context.pool.acquire() as connection, connection.transaction():
        claimed = await connection.fetchrow(queries("inbox").claim_message)
        if claimed is None:
            return False
        tenant_id, message_id = claimed
        await enter(connection, tenant_id, seconds=20)
        attempts = await connection.fetchval(queries("inbox").put_off, tenant_id, message_id)
        tenant = await tenants.load_in(connection, tenant_id, master=context.master)
    try:
        await settle(context, tenant, message_id, egress)
    except Exception as error:
        if isinstance(error, (*GONE, Unavailable)):
            raise
        log.error("message_failed", tenant=str(tenant_id), message=str(message_id), error=told(error))
        if attempts >= MOST_ATTEMPTS:
            await _note(context, tenant, message_id, Settled("quarantined", f"our fault: {told(error)}"))
    return True
