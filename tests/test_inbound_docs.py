"""docs/webhooks-in.md is true: its mapping makes what it says, its body is taken, its tables are the code's."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from domain import adapters
from domain.adapters import ADAPTERS
from domain.adapters.outcomes import Commands, Message
from domain.signatures import Scheme
from domain.sources import MessageState
from tests.road import Business, Road

TEXT = (Path(__file__).parents[1] / "docs" / "webhooks-in.md").read_text()
NOW = datetime(2026, 5, 7, tzinfo=UTC)


def block(kind: str) -> str:
    [found] = re.findall(rf"```{kind}\n(.*?)```", TEXT, flags=re.DOTALL)
    return str(found)


def test_the_mapping_makes_of_the_sample_what_it_says():
    message = Message(json.loads(block("json sample")), NOW, block("text mapping"))
    outcome = adapters.read("generic", message)
    assert isinstance(outcome, Commands), outcome
    [made] = outcome.commands
    assert json.loads(msgspec.json.encode(made)) == json.loads(block("json becomes"))


async def test_the_body_for_zapier_make_and_n8n_is_taken_once(road: Road, bakery: Business):
    source = (await bakery.post("/v1/webhook-sources", {"name": "Zapier", "adapter": "plain"})).json()
    async with road.client() as stranger:
        answers = [await stranger.post(source["url"], content=block("json plain")) for _ in range(2)]
    assert [answer.json()["state"] for answer in answers] == ["recorded"] * 2
    events = (await bakery.get("/v1/events"))["items"]
    assert [one["type"] for one in events].count("touchpoint.recorded") == 1


@pytest.mark.parametrize("names", [list(ADAPTERS), get_args(Scheme), get_args(MessageState)])
def test_each_adapter_scheme_and_state_stands_there(names: list[str]):
    assert [name for name in names if f"`{name}`" not in TEXT] == []
