"""The made-up practice and its files: the same for the same seed, with the stories in it, read by others' readers."""

import csv
import io
import json
import mailbox
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from email.utils import parseaddr, parsedate_to_datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest
import recurring_ical_events
from icalendar import Calendar

from domain.relationships import Experience, Picture, day_of, fold, picture
from domain.strength import STAGES
from domain.touches import Touch
from services.demo.days import ZONE
from services.demo.files import files, files_of
from services.demo.people import Person
from services.demo.practice import SEED, Business, Happening, Practice, Referral, generate
from tests.conftest import temporary_folder
from tests.services.test_cli import rapport

PROJECT = Path(__file__).parents[2]
TODAY = date(2026, 11, 22)
WORLDS = [(SEED, TODAY), (1, date(2026, 1, 15)), (2, date(2026, 8, 20)), (3, date(2028, 2, 29)), (4, date(2027, 6, 1))]
SLUGS = ("corner-bakery", "two-wheels", "quiet-hour")
EMAIL = re.compile(rb"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
HOST = re.compile(rb"(?:https?://|@)((?:[\w-]+\.)+[\w-]+)")
FIRST = """
import hashlib
from datetime import date
from services.demo.files import files
from services.demo.practice import SEED, generate
print(hashlib.sha256(repr(sorted(files(generate(SEED, date(2026, 11, 22))).items())).encode()).hexdigest())
"""


@cache
def practice(seed: int = SEED, today: date = TODAY) -> Practice:
    return generate(seed, today)


def one_of(practice: Practice, slug: str) -> Business:
    [found] = [one for one in practice.businesses if one.profile.slug == slug]
    return found


@pytest.fixture(params=[(*world, slug) for world in WORLDS for slug in SLUGS], ids=lambda one: f"{one[2]}-{one[0]}")
def business(request: pytest.FixtureRequest) -> Business:
    seed, today, slug = request.param
    return one_of(practice(seed, today), slug)


@pytest.fixture(params=SLUGS)
def told(request: pytest.FixtureRequest) -> Business:
    return one_of(practice(), request.param)


@cache
def written(slug: str) -> dict[str, bytes]:
    return files_of(one_of(practice(), slug), TODAY)


@pytest.fixture
def folder(told: Business) -> dict[str, bytes]:
    return written(told.profile.slug)


def with_whom(business: Business, person: Person) -> list[Happening]:
    return [one for one in business.happenings if person in one.people]


def seen(business: Business, person: Person) -> Picture:
    """What the model of strength says of this person on the last day told."""
    experiences = [
        Experience(
            Touch(UUID(int=n), day_of(one.at), one.kind, one.direction, one.channel, minutes=one.minutes), one.at
        )
        for n, one in enumerate(with_whom(business, person))
    ]
    return picture(fold(experiences), {}, day_of(business.happenings[-1].at))


def received(business: Business) -> list[Referral]:
    return [one for one in business.referrals if not one.given]


def test_two_processes_make_the_same_bytes():
    printed = {
        subprocess.run(
            [sys.executable, "-c", FIRST], cwd=PROJECT, env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1
    assert printed.pop()


def test_another_seed_or_another_day_make_other_files():
    one = files(practice())
    for other in (files(generate(SEED + 1, TODAY)), files(generate(SEED, TODAY + timedelta(days=1)))):
        assert one.keys() == other.keys()
        assert [name for name in one if "/" in name and one[name] == other[name]] == []


def test_each_business_has_its_people_with_their_personalities(business: Business):
    assert 25 <= len(business.people) <= 60
    assert len({one.slug for one in business.people}) == len(business.people)
    for wanted in ("once a quarter", "chatter", "broadcaster", "faded friend", "newcomer", "advocate", "supplier"):
        assert wanted in {one.personality for one in business.people}
    assert 2_000 <= len(business.happenings) <= 3_500


def test_two_years_end_the_day_before_today(business: Business, request: pytest.FixtureRequest):
    _, today, _ = request.node.callspec.params["business"]
    days = [one.at.astimezone(ZONE).date() for one in business.happenings]
    assert days == sorted(days)
    assert today - timedelta(days=730) <= days[0] <= today - timedelta(days=715)
    assert today - timedelta(days=3) <= days[-1] < today


def test_the_shop_is_used_in_its_hours_and_open_days(business: Business):
    profile = business.profile
    in_shop = [one.at.astimezone(ZONE) for one in business.happenings if one.channel == profile.hub]
    assert len(in_shop) > 300
    assert {at.weekday() for at in in_shop} == profile.open_days
    assert all(profile.hours[0] <= at.hour < profile.hours[1] for at in in_shop)


def test_there_is_a_season(business: Business):
    """More is bought in the three busiest months than in the three quietest."""
    by_busy = sorted(range(1, 13), key=lambda month: business.profile.busy[month - 1])
    bought = [one.at.astimezone(ZONE).month for one in business.happenings if one.kind in ("purchase", "attendance")]
    assert sum(bought.count(month) for month in by_busy[-3:]) > 1.1 * sum(bought.count(month) for month in by_busy[:3])


def test_all_halves_are_there(business: Business):
    halves = [seen(business, one).half for one in business.people]
    for half in ("online_only", "in_person_only", "both"):
        assert halves.count(half) >= 5, half


def test_an_online_friend_in_town_should_be_met(business: Business):
    friend = business.parts["friend in town"]
    picture = seen(business, friend)
    assert (picture.half, picture.met_at, friend.locality) == ("online_only", None, "Larkhaven")
    assert picture.assessment.score >= 40
    assert min(picture.assessment.given, picture.assessment.received) > 2


def test_a_weekly_friend_has_fallen_silent(business: Business, request: pytest.FixtureRequest):
    _, today, _ = request.node.callspec.params["business"]
    friend = business.parts["fallen silent"]
    days = sorted({one.at.astimezone(ZONE).date() for one in with_whom(business, friend)})
    gaps = [(after - before).days for before, after in pairwise(days)]
    silence = (today - days[-1]).days
    assert sorted(gaps)[len(gaps) // 2] <= 8
    assert 20 <= silence <= 35
    assert seen(business, friend).assessment.score >= 60


def test_the_one_with_a_question_got_no_answer(business: Business):
    last = with_whom(business, business.parts["waits for an answer"])[-1]
    assert (last.direction, last.act) == ("in", "ask")


def test_the_advocate_is_one_and_the_faded_friend_is_silent(business: Business):
    assert STAGES[seen(business, business.parts["advocate"]).assessment.stage] == "advocate"
    faded = next(one for one in business.people if one.personality == "faded friend")
    last = with_whom(business, faded)[-1].at
    assert business.happenings[-1].at - last > timedelta(days=200)


def test_a_chain_of_referrals_is_three_generations_deep(business: Business):
    by_prospect = {one.prospect.slug: one for one in received(business)}
    parts = business.parts
    chain = [by_prospect[parts[f"{nth} client"].slug] for nth in ("first", "second", "third")]
    assert [one.referrer for one in chain] == [parts["advocate"], parts["first client"], parts["second client"]]
    assert all(one.steps[-1].fate == "won" and one.steps[-1].value for one in chain)
    for before, after in pairwise(chain):
        assert before.steps[-1].at < after.at


def test_each_referral_goes_its_way_in_order(business: Business):
    fates = {one.steps[-1].fate if one.steps else "open" for one in received(business)}
    assert fates == {"open", "met", "won", "lost"}
    for one in business.referrals:
        times = [one.at, *(step.at for step in one.steps)]
        assert times == sorted(times)
        assert times[-1] < business.happenings[-1].at + timedelta(days=1)
        assert one.thanked_at is None or one.thanked_at > one.at
        assert 1 <= one.heat <= 5


def test_one_referrer_was_not_thanked(business: Business):
    [open_one] = [one for one in received(business) if one.thanked_at is None]
    assert open_one.referrer == business.parts["not thanked"]
    assert not [one for one in with_whom(business, open_one.referrer) if one.at > open_one.at]


def test_private_people_are_among_the_others(business: Business):
    sister, doctor, school = business.private
    assert sister.surname == business.owner.surname
    assert with_whom(business, sister)
    assert with_whom(business, school)
    assert [one for one in business.planned if doctor in one.people and one.private]


def test_no_file_shares_a_name_in_any_place_with_another_business():
    for find in (EMAIL, re.compile(rb"\+1\d{10}"), re.compile(rb"\w+_example"), re.compile(rb"/in/([\w-]+)")):
        found = [set(find.findall(b"\n".join(written(slug).values()))) for slug in SLUGS]
        assert all(len(one) >= 5 for one in found)
        assert set.intersection(*found) == set()
        assert sum(len(one) for one in found) == len(set.union(*found))


def test_no_address_can_be_anybodys(folder: dict[str, bytes]):
    hosts = {host for content in folder.values() for host in HOST.findall(content.replace(b"\r\n ", b""))}
    assert len(hosts) > 20
    assert [host for host in hosts if not host.endswith(b".example")] == []
    phones = {phone for content in folder.values() for phone in re.findall(rb"\+1\d{10}", content)}
    assert [phone for phone in phones if not re.fullmatch(rb"\+1\d{3}55501\d\d", phone)] == []


def test_each_business_and_file_says_that_it_is_made_up(told: Business, folder: dict[str, bytes]):
    assert told.profile.name.endswith("(made up)")
    for name, content in folder.items():
        assert re.search(rb"made[ -]up", content[:1000], re.IGNORECASE), name


def test_the_address_book_is_linkedins(told: Business, folder: dict[str, bytes]):
    preamble, _, table = folder["Connections.csv"].decode().partition("\n\n")
    rows = list(csv.DictReader(io.StringIO(table)))
    assert preamble.startswith("Notes:\n")
    assert list(rows[0]) == "First Name,Last Name,URL,Email Address,Company,Position,Connected On".split(",")
    assert {f"{row['First Name']} {row['Last Name']}" for row in rows} == {
        one.name for one in told.people if "linkedin" in one.identities
    }
    assert all(datetime.strptime(row["Connected On"], "%d %b %Y") for row in rows)  # noqa: DTZ007


def test_the_messages_are_linkedins_with_one_draft(told: Business, folder: dict[str, bytes]):
    rows = list(csv.DictReader(io.StringIO(folder["messages.csv"].decode(), newline="")))
    sent = [one for one in told.happenings if one.kind == "direct_message"]
    assert len(rows) == len(sent) + 1
    assert [row["IS MESSAGE DRAFT"] for row in rows].count("Yes") == 1
    ours = [row for row in rows if row["FROM"] == told.owner.name]
    theirs = [row for row in rows if row["TO"] == told.owner.name]
    assert len(ours) + len(theirs) == len(rows)
    assert min(len(ours), len(theirs)) > 50
    assert all(datetime.strptime(row["DATE"], "%Y-%m-%d %H:%M:%S UTC") for row in rows)  # noqa: DTZ007


@pytest.fixture
def mails(folder: dict[str, bytes]) -> Iterator[list[mailbox.mboxMessage]]:
    with temporary_folder() as data:
        path = data.root / "mail.mbox"
        path.write_bytes(folder["mail.mbox"])
        yield list(mailbox.mbox(path))


def test_the_mailbox_holds_every_letter_and_what_is_no_letter(told: Business, mails: list[mailbox.mboxMessage]):
    letters = [one for one in told.happenings if one.channel == "email"]
    ids = [mail["Message-ID"] for mail in mails]
    assert len(ids) - len(set(ids)) == 1
    plain = [mail for mail in mails if not (mail["List-Id"] or mail["Auto-Submitted"])]
    us = {told.owner.email, told.shared_address[1]}
    ours = [mail for mail in plain if parseaddr(mail["From"])[1] in us]
    assert {parseaddr(mail["From"])[1] for mail in ours} == us
    to_oneself = [mail for mail in ours if parseaddr(mail["To"])[1] == told.owner.email]
    assert 1 <= len(to_oneself) <= 10
    assert abs(len(ours) - len(to_oneself) - sum(one.direction == "out" for one in letters)) <= 1
    assert len(mails) - len(plain) > 20
    times = [parsedate_to_datetime(mail["Date"]) for mail in mails]
    assert {one.at for one in letters} <= {at.astimezone(UTC) for at in times}
    known = set(ids)
    assert all(mail["In-Reply-To"] in known for mail in mails if mail["In-Reply-To"])
    assert all(mail.get_payload() for mail in mails)


def test_the_calendar_has_meetings_of_both_kinds_and_what_is_none(told: Business, folder: dict[str, bytes]):
    calendar = Calendar.from_ical(folder["calendar.ics"])
    entries = calendar.walk("VEVENT")
    met = [one for one in told.happenings if one.kind in ("meeting", "video_call")]
    assert len(entries) == len(met) + len(told.planned) + 1
    assert sum("CONFERENCE" in one for one in entries) == sum(one.kind == "video_call" for one in met)
    assert {str(one.get("STATUS")) for one in entries} == {"None", "CANCELLED", "CONFIRMED"}
    assert sum(one.get("CLASS") == "PRIVATE" for one in entries) == sum(one.private for one in told.planned)
    now = datetime.combine(TODAY, datetime.min.time(), ZONE)
    ahead = [one for one in entries if one.start > now and one.get("STATUS") != "CANCELLED"]
    assert len(ahead) >= 3


def test_the_group_meets_again_and_again_but_not_while_the_owner_is_away(told: Business, folder: dict[str, bytes]):
    calendar = Calendar.from_ical(folder["calendar.ics"])
    group = told.profile.group
    meets = [
        one.start
        for one in recurring_ical_events.of(calendar).between(TODAY - timedelta(days=729), TODAY + timedelta(days=60))
        if one["SUMMARY"] == group.name
    ]
    assert len(meets) >= (105 + 8) // group.weeks - 8
    assert {at.weekday() for at in meets} == {group.weekday}
    month, first = told.profile.away
    assert not [at for at in meets if at.month == month and first <= at.day < first + 14 and at.date() < TODAY]


def test_the_table_holds_what_no_program_wrote_down(told: Business, folder: dict[str, bytes]):
    rows = list(csv.DictReader(io.StringIO(folder["touchpoints.csv"].decode("utf-8-sig"), newline="")))
    assert {"purchase", "chat", "handshake", "call", "help", "vouch"} <= {row["kind"] for row in rows}
    assert all(row["email"] or row["phone"] for row in rows[:-1])
    *dated, undated = rows
    assert all(datetime.fromisoformat(row["when"]).tzinfo for row in dated)
    assert undated["when"] == "last spring"


def test_the_lines_are_touchpoints_of_the_outpost_and_broadcasts(told: Business, folder: dict[str, bytes]):
    lines = [json.loads(line) for line in folder["touchpoints.ndjson"].splitlines()]
    assert {line["channel"] for line in lines} == {told.profile.social, "newsletter"}
    broadcasts = [line for line in lines if "with" not in line]
    assert len(broadcasts) > 100
    assert all(line["kind"] == "post" and line["audience"] > 0 for line in broadcasts)
    assert len({line["source_id"] for line in lines}) == len(lines)


def test_every_happening_with_people_is_in_one_file(told: Business, folder: dict[str, bytes]):
    rows = len(folder["touchpoints.csv"].decode().splitlines()) - 2
    lines = sum(b'"with"' in line for line in folder["touchpoints.ndjson"].splitlines())
    direct = sum(one.kind == "direct_message" for one in told.happenings)
    letters = sum(one.channel == "email" for one in told.happenings)
    met = sum(one.kind in ("meeting", "video_call") for one in told.happenings)
    assert rows + lines + direct + letters + met == sum(bool(one.people) for one in told.happenings)


def test_anybody_can_have_the_files(tmp_path: Path):
    done = rapport("demo", "--files", tmp_path / "made-up")
    assert done.returncode == 0, done.stderr
    names = {
        str(path.relative_to(tmp_path / "made-up")) for path in (tmp_path / "made-up").rglob("*") if path.is_file()
    }
    assert names == files(practice()).keys()
    assert all(name in done.stdout for name in names)


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path):
    (tmp_path / "taken").write_text("a file")
    done = rapport("demo", "--files", tmp_path / "taken")
    assert done.returncode == 1
    assert "cannot be written to" in done.stderr
    assert "Traceback" not in done.stderr
