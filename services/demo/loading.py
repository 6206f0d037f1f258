"""Loads the made-up practice, once: what its owners typed in, and the files they brought, through the importers.

What has come how far stands in the data folder, with the API keys; every part may be told again, so an interrupted load
goes on where it was, with the files of the day it began.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from datetime import date, datetime
from functools import partial
from io import BytesIO
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from domain.contacts import IdentityGiven
from domain.errors import Refused
from domain.policy import WEEKDAYS, Hours, Policy
from domain.referrals import ReferralMade, TellOutcome
from infra import commands, data_folder, event_log, projector, tenants
from infra.context import Context
from infra.data_folder import DataFolder
from infra.database import in_tenant
from infra.imports import desk, whole
from infra.imports.files import pieces_of, spooled
from infra.imports.job import Import, remember_own
from infra.imports.whole import Answers
from infra.stored_events import Origin
from infra.tenants import Tenant
from services import office
from services.demo import typed
from services.demo.cast import COUNTRY, PROFILES, TIME_ZONE, TOWN, Profile
from services.demo.days import ZONE
from services.demo.files import files_of
from services.demo.practice import SEED, Business, generate

STATE = "made-up.json"
ORIGIN = Origin(actor="demo", source="demo")
# While the past comes in, nothing is suggested from half of it; then at every hour somebody may look, a Sunday's too.
NOT_YET = Policy(a_day=0)
ALWAYS_OPEN = Policy(quiet_hours=Hours("00:00", "00:00"), opening_days=WEEKDAYS, holidays=False)
SEEN_WITHIN = 600.0  # seconds
Progress = Callable[[str, int, int], None]  # which business, how many rows of its files, of how many


class Kept(Struct, frozen=True):
    """One made-up business: its tenant, its key, and whether it is loaded as a whole."""

    tenant_id: UUID
    api_key: str
    loaded: bool = False


class State(Struct, frozen=True):
    """The day the practice was made for, and its businesses by slug."""

    today: date
    businesses: dict[str, Kept] = {}

    @property
    def loaded(self) -> bool:
        return len(self.businesses) == len(PROFILES) and all(kept.loaded for kept in self.businesses.values())


def state(folder: DataFolder) -> State | None:
    """None while nothing of it was ever begun here."""
    file = folder.keys / STATE
    return msgspec.json.decode(file.read_bytes(), type=State) if file.exists() else None


def _keep(folder: DataFolder, told: State) -> State:
    data_folder.replace(folder.keys / STATE, msgspec.json.encode(told))
    return told


async def add_businesses(context: Context, folder: DataFolder) -> State:
    """The tenants, those that are missing added. At once, so that there is an API key to give."""
    async with _alone(folder):
        return await _with_businesses(context, folder, _today())


def _today() -> date:
    return datetime.now(ZONE).date()


async def _with_businesses(context: Context, folder: DataFolder, today: date) -> State:
    told = state(folder) or State(today)
    for profile in PROFILES:
        kept = told.businesses.get(profile.slug)
        if kept is None or await context.keys.tenant_of(kept.api_key) is None:
            kept = await _add(context, profile)
            told = _keep(folder, replace(told, businesses={**told.businesses, profile.slug: kept}))
    return told


async def _add(context: Context, profile: Profile) -> Kept:
    """A new tenant; or the one of this name, of an earlier start that could not write it down, or of another folder.
    What is in such a one already is left as it is: brought again on another day, it would be there twice."""
    for tenant_id in await tenants.all_ids(context.pool):
        found = await tenants.load(context.pool, tenant_id, master=context.master)
        if found is not None and found.name == profile.name:
            begun = await event_log.head(context.pool, tenant_id)
            return Kept(tenant_id, await tenants.add_key(context.pool, tenant_id), loaded=bool(begun))
    added = await tenants.add(
        context.pool, name=profile.name, master=context.master, country=COUNTRY, locality=TOWN, time_zone=TIME_ZONE
    )
    return Kept(added.tenant_id, added.api_key)


async def load(context: Context, folder: DataFolder, *, progress: Progress, today: date | None = None) -> State:
    """All that is not loaded yet, one business after the other, as of `today`, unless it was begun on another day."""
    async with _alone(folder):
        told = await _with_businesses(context, folder, today or _today())
        practice = None if told.loaded else await asyncio.to_thread(generate, SEED, told.today)
        for business in practice.businesses if practice else ():
            kept = told.businesses[business.profile.slug]
            if not kept.loaded:
                await _load(context, kept, business, told.today, progress)
                done = {**told.businesses, business.profile.slug: replace(kept, loaded=True)}
                told = _keep(folder, replace(told, businesses=done))
        return told


async def _load(context: Context, kept: Kept, business: Business, today: date, progress: Progress) -> None:
    """What the owner typed in, then the files: all of them read in a dry run, then recorded one by one."""
    tenant = await office.chosen(context, kept.tenant_id)
    files = await asyncio.to_thread(files_of, business, today)
    await _type_in(context, tenant, business)
    await _say_own(context, tenant, business)
    brought = {name: await _bring(context, tenant, name, content) for name, content in files.items()}
    await _tell_referrals(context, tenant, business)
    await commands.plan_appointments(context, tenant, list(typed.appointments(business)), origin=ORIGIN)
    rows, before = sum(found.rows or 0 for found in brought.values()), 0
    for name, found in brought.items():
        shown = partial(_show, progress, tenant.name, before, rows)
        answers = Answers(private=_private(business, files[name]), unsure="business")
        await _record(context, tenant, found, answers, shown)
        before += found.rows or 0
    await _until_seen(context, tenant)
    await commands.change_nudge_policy(context, tenant, ALWAYS_OPEN, origin=ORIGIN)


def _show(progress: Progress, name: str, before: int, rows: int, found: Import) -> None:
    progress(name, before + found.through_row, rows)


async def _until_seen(context: Context, tenant: Tenant) -> None:
    """Until every view has all that was recorded, by whatever workers there are, or by none."""
    position = await event_log.head(context.pool, tenant.tenant_id) or 0
    while await projector.advance(context):
        pass
    await projector.reached(context, tenant.tenant_id, list(projector.PROJECTIONS), position, seconds=SEEN_WITHIN)


async def _bring(context: Context, tenant: Tenant, name: str, content: bytes) -> Import:
    """The file's import when its dry run is over. Brought again after an interruption, it is the same one."""
    async with spooled(pieces_of(BytesIO(content)), most=len(content)) as kept:
        brought = await desk.bring(context, tenant, kept, file_name=name, origin=ORIGIN, idempotency_key=f"demo/{name}")
    return await whole.follow(context, tenant, brought.import_id)


async def _record(context: Context, tenant: Tenant, found: Import, answers: Answers, shown: whole.Progress) -> None:
    """Raises Refused when the import fails."""
    if found.state == "ready":
        found = await whole.record(context, tenant, found.import_id, answers, progress=shown)
    if found.state != "done":
        raise Refused(f"{found.file_name}: {found.error or found.state}.")


def _private(business: Business, content: bytes) -> tuple[IdentityGiven, ...]:
    """Those of the private people who stand in a file."""
    addresses = [person.email for person in business.private]
    return tuple(IdentityGiven("email", address) for address in addresses if address.encode() in content)


async def _type_in(context: Context, tenant: Tenant, business: Business) -> None:
    await commands.change_nudge_policy(context, tenant, NOT_YET, origin=ORIGIN)
    for number, channel in enumerate(typed.channels(business)):
        await commands.describe_channel(
            context, tenant, channel, origin=ORIGIN, idempotency_key=f"demo/channel/{number}"
        )
    for number, contact in enumerate(typed.contacts(business)):
        await commands.add_contact(context, tenant, contact, origin=ORIGIN, idempotency_key=f"demo/contact/{number}")


async def _say_own(context: Context, tenant: Tenant, business: Business) -> None:
    """Who is us: asked once, and known for every file."""
    given = [IdentityGiven(*known) for known in business.owner.identities.items()]
    own = desk.read_own(tenant, [*given, IdentityGiven("email", business.shared_address[1])])
    async with in_tenant(context.pool, tenant.tenant_id) as connection:
        await remember_own(connection, tenant, own)


async def _tell_referrals(context: Context, tenant: Tenant, business: Business) -> None:
    for made, outcomes in typed.referrals(business):
        match (await commands.make_referral(context, tenant, made, origin=ORIGIN)).lead:
            case ReferralMade(referral_id=referral_id):
                await _tell_outcomes(context, tenant, referral_id, outcomes)


async def _tell_outcomes(context: Context, tenant: Tenant, referral_id: UUID, outcomes: Sequence[TellOutcome]) -> None:
    for number, outcome in enumerate(outcomes):
        key = f"demo/{number}"
        await commands.tell_outcome(context, tenant, referral_id, outcome, origin=ORIGIN, idempotency_key=key)


@asynccontextmanager
async def _alone(folder: DataFolder) -> AsyncIterator[None]:
    """One loads at a time: `rapport demo` waits for a `rapport up` that is at it."""
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(folder.locked("demo", wait=False))
                break
            except BlockingIOError:
                await asyncio.sleep(0.2)
        yield
