"""Referrals, introductions and ties: each decided under the head, with the people it names and the touchpoint it is."""

from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID, uuid5

from msgspec.structs import replace

from domain import money, referrals, ties, touchpoints
from domain.referrals import MakeReferral, ReferralMade, ReferralThanked, TellOutcome
from domain.ties import MakeIntroduction, NoteTie
from infra.commands.decisions import Decision, Done, Known, Question, decide
from infra.context import Context
from infra.stored_events import Origin, keyed_id
from infra.tenants import Tenant


async def make_referral(
    context: Context, tenant: Tenant, command: MakeReferral, *, origin: Origin, idempotency_key: str | None = None
) -> Done:
    """A referral received or given; its `lead` says of whom. Raises Invalid, NotFound, Conflict, Erased."""
    return await decide(context, tenant, referral_question(tenant, command, idempotency_key), origin=origin)


def referral_question(tenant: Tenant, command: MakeReferral, idempotency_key: str | None = None) -> Question:
    """What `decide_each` takes for many at once. Raises Invalid."""
    now = datetime.now(UTC)
    command = referrals.check(command, now=now)
    referral_id = _id(tenant, "referrals", command.source, command.source_id, idempotency_key)

    def decision(known: Known) -> Decision:
        referrer_id, prospect_id = known.people
        facts = referrals.make(command, referral_id=referral_id, referrer_id=referrer_id, prospect_id=prospect_id)
        return Decision(facts, occurred_at=command.occurred_at or now)

    return Question(
        referrals.stream_of(referral_id),
        decision,
        _in_utc(command),
        referral_id,
        people=(command.referrer, command.prospect),
        fields=("referrer", "prospect"),
        id_from="Idempotency-Key" if command.source_id is None else "source_id",
    )


async def tell_outcome(
    context: Context,
    tenant: Tenant,
    referral_id: UUID,
    command: TellOutcome,
    *,
    origin: Origin,
    idempotency_key: str | None = None,
) -> Done:
    """What became of a referral. Raises NotFound; Invalid; Refused for a referral taken back, or another currency."""
    now = datetime.now(UTC)
    referrals.check_outcome(command, now=now)
    at = command.occurred_at or now
    event_id = keyed_id(tenant, f"referrals/{referral_id}/outcome", idempotency_key)

    def decision(known: Known) -> Decision:
        facts = referrals.tell(
            command,
            referrals.fold(known.stored),
            outcome_id=event_id,
            occurred_at=at,
            struck=_struck(known),
            currency=known.fold(money.evolve, of=money.STREAM),
        )
        return Decision(facts, occurred_at=at)

    said = _in_utc(command)
    question = Question(referrals.stream_of(referral_id), decision, said, event_id, beside=_beside_outcome)
    return await decide(context, tenant, question, origin=origin)


def _beside_outcome(known: Known) -> list[str]:
    """What the tenant counts in, and the referral's touchpoints, which may be struck."""
    return [money.STREAM, *map(touchpoints.stream_of, _touchpoints(known))]


def _touchpoints(known: Known) -> list[UUID]:
    """Those that the referral and the thanks for it were."""
    return [event.touchpoint_id for event, _ in known.stored if isinstance(event, ReferralMade | ReferralThanked)]


def _struck(known: Known) -> set[UUID]:
    states = {one: known.fold(touchpoints.evolve, of=touchpoints.stream_of(one)) for one in _touchpoints(known)}
    return {one for one, state in states.items() if state is not None and state.struck}


async def make_introduction(
    context: Context, tenant: Tenant, command: MakeIntroduction, *, origin: Origin, idempotency_key: str | None = None
) -> Done:
    """People brought together; its `lead` says whom. Raises Invalid, NotFound, Conflict, Erased."""
    return await decide(context, tenant, introduction_question(tenant, command, idempotency_key), origin=origin)


def introduction_question(tenant: Tenant, command: MakeIntroduction, idempotency_key: str | None = None) -> Question:
    """What `decide_each` takes for many at once. Raises Invalid."""
    now = datetime.now(UTC)
    command = ties.check(command, now=now)
    introduction_id = _id(tenant, "introductions", command.source, command.source_id, idempotency_key)
    introducer = () if command.introducer is None else (command.introducer,)

    def decision(known: Known) -> Decision:
        among, by = known.people[: len(command.people)], known.people[len(command.people) :]
        facts = ties.introduce(
            command, introduction_id=introduction_id, contact_ids=among, introducer_id=by[0] if by else None
        )
        return Decision(facts, occurred_at=command.occurred_at or now)

    return Question(
        f"introduction-{introduction_id}",
        decision,
        _in_utc(command),
        introduction_id,
        people=(*command.people, *introducer),
        fields=(*(f"people[{n}]" for n in range(len(command.people))), *("introducer" for _ in introducer)),
        id_from="Idempotency-Key" if command.source_id is None else "source_id",
    )


async def note_tie(
    context: Context, tenant: Tenant, command: NoteTie, *, origin: Origin, idempotency_key: str | None = None
) -> Done:
    """Two who know each other, noted once. Raises Invalid, NotFound, Erased."""
    event_id = keyed_id(tenant, "ties", idempotency_key)

    def stream(known: Known) -> str:
        return ties.stream_of(ties.pair(known.people))

    def decision(known: Known) -> Decision:
        return Decision(ties.note(known.people, known=bool(known.beside[stream(known)])))

    question = Question(
        f"tie-{event_id}",
        decision,
        command,
        event_id,
        people=command.between,
        fields=("between[0]", "between[1]"),
        beside=lambda known: [stream(known)],
    )
    return await decide(context, tenant, question, origin=origin)


def _id(tenant: Tenant, route: str, source: str | None, source_id: str | None, idempotency_key: str | None) -> UUID:
    if source is not None and source_id is not None:
        return uuid5(tenant.tenant_id, f"{route}\0{source}\0{source_id}")
    return keyed_id(tenant, route, idempotency_key)


Dated = TypeVar("Dated", MakeReferral, TellOutcome, MakeIntroduction)


def _in_utc(command: Dated) -> Dated:
    """The same instant written otherwise is the same command."""
    at = command.occurred_at
    return command if at is None else replace(command, occurred_at=at.astimezone(UTC))
