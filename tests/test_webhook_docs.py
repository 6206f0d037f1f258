"""docs/webhooks.md is true: its receivers take what is sent, refuse what is forged; every event type is there."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from domain import events
from infra.commands.webhooks import new_secret
from infra.egress import Egress, open_egress
from services.api import webhook_types
from services.api.app import create_app
from tests.journeys.processes import free_port
from tests.road import MASTER_KEY, Settings

TEXT = (Path(__file__).parents[1] / "docs" / "webhooks.md").read_text()
CONTENT = '{"type":"referral.won","position":17,"name":"Zoë"}'.encode()
ID = "01990000-0000-7000-8000-0000000000c0"


def block(language: str) -> str:
    [found] = re.findall(rf"```{language} receiver\n(.*?)```", TEXT, flags=re.DOTALL)
    return str(found)


def signed(secret: str, at: datetime) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "webhook-id": ID,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(ID, at, CONTENT.decode()),
    }


@pytest.fixture(params=["python", "js"])
def receiver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """A receiver of the docs as a process, its address and its secret."""
    language = str(request.param)
    program = [sys.executable, "-u"] if language == "python" else [shutil.which("node") or ""]
    if not program[0]:
        pytest.skip("there is no Node here")
    file = tmp_path / f"receiver.{language}"
    file.write_text(block(language))
    port, secret = free_port(), new_secret()
    environment = {**os.environ, "PORT": str(port), "SECRET": secret}
    process = subprocess.Popen([*program, str(file)], env=environment, stdout=subprocess.PIPE, text=True)
    yield process, f"http://127.0.0.1:{port}/", secret
    process.kill()
    process.wait()


async def status(egress: Egress, url: str, content: bytes, headers: dict[str, str]) -> int | None:
    async with asyncio.timeout(30):
        while True:
            answer = (await egress.post(url, content, headers)).answer
            if answer.failure != "connection_refused":
                return answer.status
            await asyncio.sleep(0.1)


async def test_the_receivers_of_the_docs_take_ours_and_refuse_forgeries(
    receiver: tuple[subprocess.Popen[str], str, str],
):
    process, url, secret = receiver
    now = datetime.now(UTC)
    headers = signed(secret, now)
    async with open_egress(loopback=True) as egress:
        assert await status(egress, url, CONTENT, headers) == 204
        both = f"{Webhook(new_secret()).sign(ID, now, CONTENT.decode())} {headers['webhook-signature']}"
        assert await status(egress, url, CONTENT, {**headers, "webhook-signature": both}) == 204
        for forged in (
            signed(new_secret(), now),
            {**headers, "webhook-id": "another"},
            {**headers, "webhook-signature": "v1,"},
            signed(secret, datetime(2020, 1, 1, tzinfo=UTC)),
        ):
            assert await status(egress, url, CONTENT, forged) == 400
        assert await status(egress, url, CONTENT.replace(b"17", b"18"), headers) == 400
    assert process.stdout is not None
    assert process.stdout.readline() == "referral.won 17\n"


def test_the_signature_by_hand_is_ours(tmp_path: Path):
    secret, now = new_secret(), datetime.now(UTC)
    (tmp_path / "body.json").write_bytes(CONTENT)
    headers = signed(secret, now)
    environment = {
        **os.environ, "SECRET": secret, "WEBHOOK_ID": ID, "WEBHOOK_TIMESTAMP": headers["webhook-timestamp"],
    }  # fmt: skip
    done = subprocess.run(
        ["bash", "-c", block("bash")], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == headers["webhook-signature"]


def test_every_event_type_is_documented_with_its_example():
    told = TEXT.partition("prints it -->\n\n")[2]
    assert told == webhook_types.markdown(), "write it anew: rapport webhooks types"


def test_every_event_type_is_a_webhook_of_the_openapi_document_with_schema_and_example():
    nowhere = Settings(database_url="postgresql://nowhere", redis_url="redis://nowhere", master_key=MASTER_KEY)
    document = create_app(nowhere).openapi_schema.to_schema()
    assert document["webhooks"].keys() == events.TYPES.keys()
    schemas = document["components"]["schemas"]
    for name, path in document["webhooks"].items():
        content = path["post"]["requestBody"]["content"]["application/json"]
        schema = schemas[content["schema"]["properties"]["data"]["$ref"].rpartition("/")[2]]
        example = content["examples"]["example"]["value"]
        nothing = schema["properties"].keys() - example["data"].keys()  # the document leaves out null
        assert all({"type": "null"} in schema["properties"][field]["anyOf"] for field in nothing), name
        assert example["data"].keys() <= schema["properties"].keys(), name
        assert schema["required"] == list(schema["properties"]), name
        assert json.dumps(example)
        assert path["post"]["description"], name
