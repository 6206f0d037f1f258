"""The commands about tenants, as a person at a terminal meets them: real processes on a data folder of their own."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from domain.appointments import PlanAppointment
from domain.contacts import AddContact
from domain.gatherings import PlanGathering
from domain.sources import AddSource
from domain.touchpoints import RecordTouchpoint, Reference
from domain.webhooks import AddEndpoint, TryEndpoint
from infra import commands, embedded, settings
from infra.commands import sources, webhooks
from infra.commands.gatherings import ChangeLink
from infra.data_folder import DataFolder
from infra.stored_events import Origin
from services import office
from services.cli import call
from services.demo.cast import PROFILES
from services.workers.main import catch_up
from tests.conftest import temporary_folder

pytestmark = pytest.mark.xdist_group("office")


@pytest.fixture(scope="module")
def folder() -> Iterator[DataFolder]:
    with temporary_folder() as data:
        data.create()
        embedded.master_key(data)
        with embedded.servers(data):
            yield data


def rapport(folder: DataFolder, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "services.cli", *words, "--data", str(folder.root)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.slow
def test_the_demo_tells_the_main_job_and_again_the_same(folder: DataFolder):
    first = rapport(folder, "demo")
    assert first.returncode == 0, first.stderr
    for profile in PROFILES:
        assert profile.name in first.stdout
    for words in ("recommends you", "Online only", "In person only", "generation 3", "Did it happen?", "mail.mbox"):
        assert first.stdout.count(words) >= len(PROFILES), words
    assert rapport(folder, "demo").stdout == first.stdout


@pytest.mark.slow
def test_of_several_businesses_one_has_to_be_named(folder: DataFolder):
    assert rapport(folder, "demo").returncode == 0  # loaded once, whichever test comes first
    which = rapport(folder, "contacts")
    assert which.returncode == 1
    listed = dict(line.split(maxsplit=1) for line in which.stderr.splitlines()[1:])
    [bakery] = [tenant_id for tenant_id, name in listed.items() if name == PROFILES[0].name]
    assert "recommends you" in rapport(folder, "contacts", "--tenant", bakery).stdout
    assert rapport(folder, "nudges", "--tenant", bakery).returncode == 0


@pytest.mark.slow
def test_appointments_are_listed_with_their_question(folder: DataFolder):
    added = json.loads(rapport(folder, "tenant", "add", "Florist", "--time-zone", "Europe/Berlin", "--json").stdout)
    tenant = ("--tenant", added["tenant_id"])
    assert "No appointments are planned" in rapport(folder, "appointments", *tenant).stdout
    asyncio.run(plan(folder, UUID(added["tenant_id"])))
    told = rapport(folder, "appointments", *tenant).stdout
    assert "Did it happen? You were to meet Ana" in told
    assert "answer with happened, missed, cancel" in told
    assert "Ben, cafe" in told
    waiting = json.loads(rapport(folder, "appointments", "--to-confirm", *tenant, "--json").stdout)["items"]
    assert [one["people"][0]["name"] for one in waiting] == ["Ana"]


async def plan(folder: DataFolder, tenant_id: UUID) -> None:
    """An hour with Ana yesterday, and one with Ben tomorrow."""
    key = {"RAPPORT_MASTER_KEY": embedded.master_key(folder)}
    configured = settings.load({**embedded.where(folder).environment(), **key})
    async with office.opened(configured) as context:
        tenant = await office.chosen(context, tenant_id)
        for name, days in (("Ana", -1), ("Ben", 1)):
            starts_at = datetime.now(UTC) + timedelta(days=days)
            command = PlanAppointment(starts_at, starts_at + timedelta(hours=1), "cafe", (Reference(name=name),))
            await commands.plan_appointment(context, tenant, command, origin=Origin("test", "cli"))
        await catch_up(context)


@pytest.mark.slow
def test_gatherings_are_listed_with_their_page(folder: DataFolder):
    added = json.loads(rapport(folder, "tenant", "add", "Potter", "--time-zone", "Europe/Berlin", "--json").stdout)
    tenant = ("--tenant", added["tenant_id"])
    assert "No gatherings are planned" in rapport(folder, "gatherings", *tenant).stdout
    asyncio.run(gather(folder, UUID(added["tenant_id"])))
    told = rapport(folder, "gatherings", *tenant).stdout
    assert "Friday patio" in told
    assert "/g/" in told
    assert "Long over" not in told
    assert "Long over  over" in rapport(folder, "gatherings", "--all", *tenant).stdout
    [one] = json.loads(rapport(folder, "gatherings", *tenant, "--json").stdout)["items"]
    assert one["title"] == "Friday patio"


async def gather(folder: DataFolder, tenant_id: UUID) -> None:
    """One every week, with a public page, and one a month ago."""
    key = {"RAPPORT_MASTER_KEY": embedded.master_key(folder)}
    configured = settings.load({**embedded.where(folder).environment(), **key})
    async with office.opened(configured) as context:
        tenant, origin = await office.chosen(context, tenant_id), Origin("test", "cli")
        ago = datetime.now(UTC) - timedelta(days=30)
        over = PlanGathering(title="Long over", channel="patio", starts_at=ago, repeats=None)
        await commands.plan_gathering(context, tenant, over, origin=origin)
        weekly = PlanGathering(title="Friday patio", channel="patio", starts_at=ago)
        gathering_id, _ = await commands.plan_gathering(context, tenant, weekly, origin=origin)
        await commands.change_link(context, tenant, gathering_id, ChangeLink("open"), origin=origin)
        await catch_up(context)


@pytest.mark.slow
def test_a_strength_is_explained_as_the_api_does(folder: DataFolder):
    added = json.loads(rapport(folder, "tenant", "add", "Chandler", "--json").stdout)
    tenant = ("--tenant", added["tenant_id"])
    asyncio.run(talk(folder, UUID(added["tenant_id"])))
    told = rapport(folder, "strength", "Ana Berg", "--since", "2026-01-01", *tenant)
    assert told.returncode == 0, told.stderr
    explained = json.loads(rapport(folder, "strength", "ana@", "--since", "2026-01-01", *tenant, "--json").stdout)
    words = " ".join(told.stdout.split())
    for part in (explained["in_words"], explained["coverage"]["in_words"], explained["change"]["in_words"]):
        assert part in words
    several = rapport(folder, "strength", "Ana", *tenant)
    assert (several.returncode, several.stderr.count("Ana")) == (1, 3)
    assert "Nobody is called Zoe" in rapport(folder, "strength", "Zoe", *tenant).stderr


async def talk(folder: DataFolder, tenant_id: UUID) -> None:
    """Four e-mails with one Ana, and another of that name."""
    key = {"RAPPORT_MASTER_KEY": embedded.master_key(folder)}
    configured = settings.load({**embedded.where(folder).environment(), **key})
    async with office.opened(configured) as context:
        tenant = await office.chosen(context, tenant_id)
        ana = Reference(email="ana@example.com", name="Ana Berg")
        at = [datetime(2025, 11, 1, tzinfo=UTC) + timedelta(days=30 * n) for n in range(4)]
        mails = [RecordTouchpoint("email", when, "email", "out", (ana,)) for when in at]
        other = RecordTouchpoint(
            "email", at[0], "email", "in", (Reference(email="ana.k@example.com", name="Ana Karl"),)
        )
        await commands.record_touchpoints(context, tenant, [*mails, other], origin=Origin("test", "cli"))
        await catch_up(context)


@pytest.mark.slow
def test_who_seems_to_be_there_twice_is_listed_with_the_reasons(folder: DataFolder):
    added = json.loads(rapport(folder, "tenant", "add", "Cobbler", "--json").stdout)
    tenant = ("--tenant", added["tenant_id"])
    assert "Nobody seems" in rapport(folder, "duplicates", *tenant).stdout
    ids = asyncio.run(know_twice(folder, UUID(added["tenant_id"])))
    told = " ".join(rapport(folder, "duplicates", *tenant).stdout.split())
    assert "the same name" in told
    assert all(str(one) in told for one in ids)


async def know_twice(folder: DataFolder, tenant_id: UUID) -> list[UUID]:
    key = {"RAPPORT_MASTER_KEY": embedded.master_key(folder)}
    configured = settings.load({**embedded.where(folder).environment(), **key})
    async with office.opened(configured) as context:
        tenant = await office.chosen(context, tenant_id)
        names = [AddContact(name="Ana Berg"), AddContact(name="Berg, Ana")]
        added = [await commands.add_contact(context, tenant, one, origin=Origin("test", "cli")) for one in names]
        await catch_up(context)
    return [contact_id for contact_id, _ in added]


@pytest.mark.slow
def test_a_tenant_is_added_and_its_log_verified_and_rebuilt(folder: DataFolder):
    added = json.loads(rapport(folder, "tenant", "add", "Florist", "--country", "DE", "--json").stdout)
    assert set(added) == {"tenant_id", "api_key"}
    tenant = ("--tenant", added["tenant_id"])
    assert json.loads(rapport(folder, "contacts", *tenant, "--json").stdout)["items"] == []
    assert "Nobody yet" in rapport(folder, "contacts", *tenant).stdout
    assert json.loads(rapport(folder, "duplicates", *tenant, "--json").stdout)["items"] == []
    assert "all as they were written" in rapport(folder, "verify").stdout
    assert json.loads(rapport(folder, "verify", *tenant, "--json").stdout)[0]["broken_at"] is None
    assert "rebuilt" in rapport(folder, "rebuild", "contacts").stdout


def told(folder: DataFolder, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What the command prints, done in this process."""
    assert call([*words, "--data", str(folder.root)]) == 0
    return capsys.readouterr().out


@pytest.mark.slow
def test_a_tenant_is_suspended_and_resumed_and_the_list_says_so(folder: DataFolder, capsys: pytest.CaptureFixture[str]):
    added = json.loads(told(folder, capsys, "tenant", "add", "Tea Room", "--json"))["tenant_id"]

    def suspended() -> bool:
        listed = json.loads(told(folder, capsys, "tenant", "list", "--json"))
        [one] = [one for one in listed if one["tenant_id"] == added]
        return bool(one["suspended"])

    assert not suspended()
    assert "its keys are refused" in told(folder, capsys, "tenant", "suspend", added)
    assert suspended()
    assert f"{added}  Tea Room  (suspended)" in told(folder, capsys, "tenant", "list")
    assert "goes on" in told(folder, capsys, "tenant", "resume", added)
    assert not suspended()


@pytest.mark.slow
def test_endpoints_deliveries_and_sources_are_listed(folder: DataFolder, capsys: pytest.CaptureFixture[str]):
    added = json.loads(told(folder, capsys, "tenant", "add", "Book Shop", "--json"))["tenant_id"]
    tenant = ("--tenant", added)
    for what in ("endpoints", "deliveries", "sources"):
        assert json.loads(told(folder, capsys, "webhooks", what, *tenant, "--json"))["items"] == []
    asyncio.run(subscribe(folder, UUID(added)))
    [endpoint] = json.loads(told(folder, capsys, "webhooks", "endpoints", *tenant, "--json"))["items"]
    assert endpoint["url"] == "https://example.com/hook"
    assert "active" in told(folder, capsys, "webhooks", "endpoints", *tenant)
    assert "webhook.test" in told(folder, capsys, "webhooks", "deliveries", *tenant)
    assert "calendly" in told(folder, capsys, "webhooks", "sources", *tenant)
    assert call(["webhooks", "deliveries", *tenant, "--limit", "0", "--data", str(folder.root)]) == 1
    assert capsys.readouterr().err == "--limit is 1 to 200.\n"


async def subscribe(folder: DataFolder, tenant_id: UUID) -> None:
    """An endpoint with a test under way, and a source."""
    key = {"RAPPORT_MASTER_KEY": embedded.master_key(folder)}
    configured = settings.load({**embedded.where(folder).environment(), **key})
    origin = Origin("test", "cli")
    async with office.opened(configured) as context:
        tenant = await office.chosen(context, tenant_id)
        wanted, wanted_source = AddEndpoint(url="https://example.com/hook"), AddSource("bookings", "calendly")
        added = await webhooks.add_endpoint(context, tenant, wanted, origin=origin, loopback=False)
        await webhooks.try_endpoint(context, tenant, added.endpoint_id, TryEndpoint(), data={}, origin=origin)
        await sources.add_source(context, tenant, wanted_source, origin=origin, loopback=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("rebuild", "dreams"), 1, "There is no projection dreams"),
        (("tenant", "add", "X", "--country", "ZZ"), 1, "ZZ is no country code"),
        (("tenant", "add", "X", "--time-zone", "Mars/Base"), 1, "Mars/Base is no time zone"),
        (("contacts", "--tenant", "01990000-0000-7000-8000-00000000000a"), 1, "There is no tenant"),
        (("contacts", "--tenant", "nobody"), 2, ""),
        (("tenant", "suspend", "01990000-0000-7000-8000-00000000000a"), 1, "There is no tenant"),
        (("tenant", "resume", "01990000-0000-7000-8000-00000000000a"), 1, "There is no tenant"),
        (("tenant", "suspend", "nobody"), 2, ""),
        (("verify", "--tenant", "01990000-0000-7000-8000-00000000000a"), 1, "There is no tenant"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(folder: DataFolder, words: tuple[str, ...], code: int, said: str):
    done = rapport(folder, *words)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_another_model_is_tried_and_switched_to(folder: DataFolder, tmp_path: Path):
    shop = json.loads(rapport(folder, "tenant", "add", "Model Shop", "--json").stdout)["tenant_id"]
    model = json.loads(rapport(folder, "model", "--tenant", shop).stdout)
    model["kinds"]["email"]["points"] = 0.2
    (tmp_path / "model.json").write_text(json.dumps(model))
    command = ("replay", "--weights", str(tmp_path / "model.json"), "--tenant", shop)
    tried = rapport(folder, *command)
    assert tried.returncode == 0, tried.stderr
    assert tried.stdout.startswith("0 of 0 relationships move.")
    assert json.loads(rapport(folder, "model", "--tenant", shop).stdout) != model
    assert "This is the model now." in rapport(folder, *command, "--switch").stdout
    assert json.loads(rapport(folder, "model", "--tenant", shop).stdout) == model
    for bad, why in (
        ("{}", "is no model"),
        (json.dumps(model | {"parts": {**model["parts"], "depth": 99}}), "add up to"),
    ):
        (tmp_path / "model.json").write_text(bad)
        refused = rapport(folder, *command)
        assert (refused.returncode, why in refused.stderr) == (1, True), refused.stderr
