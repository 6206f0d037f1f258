"""docs/webhooks-in.md is true: its mapping makes what it says, its body is taken, its tables are the code's."""

import asyncio
import json
import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from domain import adapters
from domain.adapters import ADAPTERS
from domain.adapters.outcomes import Commands, Message
from domain.signatures import Scheme
from domain.sources import MessageState
from tests.receiver import receiving
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


MENTION = {
    "id": "34975861", "type": "mention", "created_at": "2026-05-06T08:15:00.000Z",
    "account": {"acct": "ana@example.social", "url": "https://example.social/@ana", "display_name": "Ana"},
    "status": {"visibility": "public"},
}  # fmt: skip


async def test_the_forwarder_passes_each_notification_on_once_and_the_oldest_first(tmp_path: Path):
    asked: list[str] = []

    async def notifications(request: web.Request) -> web.Response:
        asked.append(f"{request.headers['Authorization']} {request.query_string}")
        newest_first = [MENTION | {"id": str(n)} for n in (12, 11, 10)]
        return web.json_response([one for one in newest_first if int(one["id"]) > int(request.query.get("min_id", 0))])

    mastodon = web.Application()
    mastodon.router.add_get("/api/v1/notifications", notifications)
    server = TestServer(mastodon)
    await server.start_server()
    script = tmp_path / "forward.py"
    script.write_text(block("python forwarder"))
    async with receiving() as source:
        places = {"MASTODON": f"http://127.0.0.1:{server.port}", "SOURCE": source.url}
        environment = {**os.environ, **places, "TOKEN": "t", "LAST_SEEN": str(tmp_path / "last")}
        for _ in range(2):
            running = await asyncio.create_subprocess_exec(sys.executable, script, env=environment)
            assert await running.wait() == 0
        bodies = [one.body for one in source.received]
    await server.close()
    assert asked == ["Bearer t limit=40", "Bearer t limit=40&min_id=12"]
    outcomes = [adapters.read("mastodon", Message(body, NOW)) for body in bodies]
    made = [json.loads(msgspec.json.encode(one.commands[0])) for one in outcomes if isinstance(one, Commands)]
    assert [one["source_id"] for one in made] == ["10", "11", "12"]
    assert {(one["kind"], one["with"][0]["handle"]) for one in made} == {("mention", "ana@example.social")}


@pytest.mark.parametrize("names", [list(ADAPTERS), get_args(Scheme), get_args(MessageState)])
def test_each_adapter_scheme_and_state_stands_there(names: list[str]):
    assert [name for name in names if f"`{name}`" not in TEXT] == []
