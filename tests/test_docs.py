"""The docs cannot rot: their examples are sent, their words are the code's."""

import json
import re
from pathlib import Path

import pytest

from domain import bulk, events, touches
from tests.road import Business

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def examples(of: str = "touchpoint") -> list[str]:
    fenced = re.compile(rf"```json {of}\n(.*?)```", flags=re.DOTALL)
    return [block for page in PAGES for block in fenced.findall(page.read_text())]


@pytest.mark.parametrize("example", examples())
async def test_each_example_of_a_touchpoint_is_taken(bakery: Business, example: str):
    [result] = await bakery.tell(json.loads(example))
    assert result["status"] == "recorded"


async def test_each_example_about_referrals_is_taken(bakery: Business):
    [made] = [await bakery.post("/v1/referrals", json.loads(example)) for example in examples("referral")]
    path = f"/v1/referrals/{made.json()['id']}/outcome"
    told = [await bakery.post(path, json.loads(example)) for example in examples("outcome")]
    told += [await bakery.post("/v1/introductions", json.loads(example)) for example in examples("introduction")]
    told += [await bakery.post("/v1/ties", json.loads(example)) for example in examples("tie")]
    assert len(told) == 4
    assert [answer.text for answer in (made, *told) if not answer.is_success] == []


async def test_each_example_about_gatherings_is_taken(bakery: Business):
    [planned] = [await bakery.post("/v1/gatherings", json.loads(example)) for example in examples("gathering")]
    path = f"/v1/gatherings/{planned.json()['id']}/attendance"
    [noted] = [await bakery.post(path, json.loads(example)) for example in examples("attendance")]
    assert [one["status"] for one in noted.json()["results"]] == ["recorded"] * 2


def test_there_are_examples():
    assert len(examples()) >= 2


def test_each_event_type_is_in_the_docs():
    told = (ROOT / "docs" / "events.md").read_text()
    assert [name for name in events.TYPES if f"`{name}`" not in told] == []


def test_each_kind_of_touch_and_each_scheduler_is_in_the_docs_of_strength():
    told = (ROOT / "docs" / "strength.md").read_text()
    assert [kind for kind in touches.KINDS if f"`{kind}`" not in told] == []
    named = re.search(r"is one of (activecampaign.*?) \(", told, flags=re.DOTALL)
    assert named
    assert set(re.split(r",\s+", named[1])) == bulk.SCHEDULERS


def test_each_command_is_in_the_readme():
    from services.cli import app

    told = (ROOT / "README.md").read_text()
    names = [name for name in app if not name.startswith("-")]
    assert names
    assert [name for name in names if f"rapport {name}" not in told] == []


def test_each_link_leads_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_glossary_has_each_word_once():
    words = re.findall(r"^\| ([^|]+?) \|", (ROOT / "docs" / "glossary.md").read_text(), flags=re.MULTILINE)[2:]
    assert words == sorted(set(words), key=str.lower)
