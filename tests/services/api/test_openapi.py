"""The OpenAPI document: whole, described, true, and shown without anybody else's help."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from services.api.app import create_app
from services.api.examples import BODIES
from tests.road import MASTER_KEY, Business, Road, Settings
from tests.services.api.told import ago, filled, one_of_each

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
METHODS = {"get", "post", "patch", "put", "delete"}

LISTS = ("/v1/contacts", "/v1/contacts/{contact_id}/timeline", "/v1/appointments", "/v1/channels", "/v1/nudges")

NOWHERE = Settings(database_url="postgresql://nowhere", redis_url="redis://nowhere", master_key=MASTER_KEY)
DOCUMENT: dict[str, Any] = create_app(NOWHERE).openapi_schema.to_schema()
OPERATIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    operation["operationId"]: (method, path, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}


def below(node: object) -> Iterator[dict[str, Any]]:
    """Every object of the document."""
    if isinstance(node, dict):
        yield node
        for inner in node.values():
            yield from below(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from below(inner)


def test_the_document_is_valid():
    schemathesis.openapi.from_dict(DOCUMENT).validate()


def test_every_reference_leads_somewhere():
    references = [node["$ref"] for node in below(DOCUMENT) if "$ref" in node]
    assert len(references) > 50
    for reference in references:
        found = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]


def test_every_route_of_the_issue_is_there():
    assert {(method.upper(), path) for method, path, _ in OPERATIONS.values()} == {
        ("POST", "/v1/touchpoints"),
        ("POST", "/v1/touchpoints/{touchpoint_id}/strike"),
        ("GET", "/v1/contacts"),
        ("POST", "/v1/contacts"),
        ("GET", "/v1/contacts/{contact_id}"),
        ("PATCH", "/v1/contacts/{contact_id}"),
        ("GET", "/v1/contacts/duplicates"),
        ("POST", "/v1/contacts/{contact_id}/merge"),
        ("POST", "/v1/contacts/merges"),
        ("POST", "/v1/contacts/{contact_id}/unmerge"),
        ("POST", "/v1/contacts/not-the-same"),
        ("GET", "/v1/contacts/{contact_id}/timeline"),
        ("GET", "/v1/contacts/{contact_id}/strength"),
        ("GET", "/v1/contacts/{contact_id}/strength/history"),
        ("GET", "/v1/appointments"),
        ("POST", "/v1/appointments"),
        ("GET", "/v1/appointments/{appointment_id}"),
        ("PATCH", "/v1/appointments/{appointment_id}"),
        ("POST", "/v1/appointments/{appointment_id}/happened"),
        ("POST", "/v1/appointments/{appointment_id}/missed"),
        ("POST", "/v1/appointments/{appointment_id}/cancel"),
        ("GET", "/v1/gatherings"),
        ("POST", "/v1/gatherings"),
        ("GET", "/v1/gatherings/{gathering_id}"),
        ("PATCH", "/v1/gatherings/{gathering_id}"),
        ("POST", "/v1/gatherings/{gathering_id}/cancel"),
        ("POST", "/v1/gatherings/{gathering_id}/link"),
        ("GET", "/v1/gatherings/{gathering_id}/occurrences"),
        ("GET", "/v1/gatherings/{gathering_id}/guests"),
        ("GET", "/v1/gatherings/{gathering_id}/attendance"),
        ("POST", "/v1/gatherings/{gathering_id}/attendance"),
        ("GET", "/v1/gatherings/{gathering_id}/yield"),
        ("GET", "/v1/channels"),
        ("POST", "/v1/channels"),
        ("GET", "/v1/network"),
        ("GET", "/v1/network/overlap"),
        ("GET", "/v1/network/outposts"),
        ("GET", "/v1/network/occasions"),
        ("POST", "/v1/contacts/{contact_id}/mute"),
        ("GET", "/v1/nudges"),
        ("GET", "/v1/nudge-policy"),
        ("PUT", "/v1/nudge-policy"),
        ("GET", "/v1/model"),
        ("PUT", "/v1/model"),
        ("POST", "/v1/model/preview"),
        ("POST", "/v1/nudges/{nudge_id}/accept"),
        ("POST", "/v1/nudges/{nudge_id}/snooze"),
        ("POST", "/v1/nudges/{nudge_id}/dismiss"),
        ("POST", "/v1/nudges/{nudge_id}/done"),
        ("GET", "/v1/referrals"),
        ("GET", "/v1/referrals/overview"),
        ("GET", "/v1/referrals/referrers"),
        ("GET", "/v1/referrals/supporters"),
        ("GET", "/v1/referrals/balance"),
        ("POST", "/v1/referrals"),
        ("GET", "/v1/referrals/tree"),
        ("GET", "/v1/referrals/{referral_id}"),
        ("POST", "/v1/referrals/{referral_id}/outcome"),
        ("POST", "/v1/introductions"),
        ("POST", "/v1/ties"),
        ("GET", "/v1/contacts/{contact_id}/ties"),
        ("GET", "/v1/events"),
        ("POST", "/v1/imports"),
        ("GET", "/v1/imports"),
        ("GET", "/v1/imports/{import_id}"),
        ("GET", "/v1/imports/{import_id}/rows"),
        ("GET", "/v1/imports/{import_id}/people"),
        ("GET", "/v1/imports/{import_id}/report.csv"),
        ("POST", "/v1/imports/{import_id}/own"),
        ("POST", "/v1/imports/{import_id}/start"),
        ("POST", "/v1/imports/{import_id}/undo"),
        ("POST", "/v1/imports/{import_id}/cancel"),
        ("POST", "/v1/webhook-endpoints"),
        ("GET", "/v1/webhook-endpoints"),
        ("GET", "/v1/webhook-endpoints/{endpoint_id}"),
        ("PATCH", "/v1/webhook-endpoints/{endpoint_id}"),
        ("DELETE", "/v1/webhook-endpoints/{endpoint_id}"),
        ("POST", "/v1/webhook-endpoints/{endpoint_id}/rotate"),
        ("POST", "/v1/webhook-endpoints/{endpoint_id}/test"),
        ("POST", "/v1/webhook-endpoints/{endpoint_id}/replay"),
        ("GET", "/v1/webhook-endpoints/{endpoint_id}/replays"),
        ("GET", "/v1/webhook-endpoints/{endpoint_id}/statistics"),
        ("GET", "/v1/webhook-endpoints/{endpoint_id}/audit"),
        ("GET", "/v1/webhook-deliveries"),
        ("GET", "/v1/webhook-deliveries/{delivery_id}"),
        ("POST", "/v1/webhook-deliveries/{delivery_id}/redeliver"),
        ("POST", "/v1/webhook-sources"),
        ("GET", "/v1/webhook-sources"),
        ("GET", "/v1/webhook-sources/{source_id}"),
        ("PATCH", "/v1/webhook-sources/{source_id}"),
        ("DELETE", "/v1/webhook-sources/{source_id}"),
        ("POST", "/v1/webhook-sources/{source_id}/rotate"),
        ("POST", "/v1/webhook-sources/{source_id}/try"),
        ("POST", "/v1/webhook-sources/{source_id}/replay"),
        ("GET", "/v1/webhook-sources/{source_id}/audit"),
        ("GET", "/v1/webhook-messages"),
        ("GET", "/v1/webhook-messages/{message_id}"),
        ("POST", "/v1/webhook-messages/{message_id}/replay"),
        ("POST", "/v1/webhook-messages/{message_id}/drop"),
        ("GET", "/health/live"),
        ("GET", "/health/ready"),
        ("GET", "/metrics"),
    }


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_and_parameter_is_described(name: str):
    _, path, operation = OPERATIONS[name]
    assert operation["summary"]
    assert operation["description"]
    assert len(operation["tags"]) == 1
    for parameter in operation.get("parameters", []):
        assert parameter["description"], parameter["name"]
        assert parameter["schema"].keys() & {"type", "enum"}, parameter["name"]
    if path.startswith("/v1/"):
        assert "security" not in operation
    else:
        assert operation["security"] == []


LISTS = {
    "/v1/contacts", "/v1/contacts/{contact_id}/timeline", "/v1/contacts/{contact_id}/ties", "/v1/channels",
    "/v1/contacts/duplicates",
    "/v1/nudges", "/v1/referrals", "/v1/imports", "/v1/imports/{import_id}/rows", "/v1/imports/{import_id}/people",
    "/v1/gatherings", "/v1/gatherings/{gathering_id}/occurrences", "/v1/gatherings/{gathering_id}/guests",
    "/v1/gatherings/{gathering_id}/attendance",
}  # fmt: skip
NAMING_PEOPLE = {"make_referral", "make_introduction", "note_tie", "tell_apart"}


def test_reads_take_after_and_lists_take_cursor_and_limit():
    for method, path, operation in OPERATIONS.values():
        names = {parameter["name"] for parameter in operation.get("parameters", [])}
        if method == "get" and path.startswith("/v1/"):
            assert "after" in names, path
        if method == "post" and operation["operationId"] != "preview_model":  # which changes nothing
            assert "Idempotency-Key" in names, path
        if path in LISTS and method == "get":
            assert {"cursor", "limit"} <= names, path


@pytest.mark.parametrize("name", [name for name, (_, path, _) in OPERATIONS.items() if path.startswith("/v1/")])
def test_every_operation_says_what_can_go_wrong(name: str):
    method, path, operation = OPERATIONS[name]
    expected = {"400", "401", "403", "414", "431", "503"}
    expected |= {"404"} if "{" in path or name in NAMING_PEOPLE or name == "show_referral_tree" else set()
    expected |= {"409", "410", "413", "415"} if "requestBody" in operation else set()
    expected |= {"409"} if method == "post" else set()
    expected |= {"412"} if "If-Match" in {one["name"] for one in operation.get("parameters", [])} else set()
    expected |= {"422"} if name in ("record_touchpoints", "merge_pairs") else set()
    assert {status for status in operation["responses"] if status >= "400"} == expected
    for status in expected - {"422"}:
        named = operation["responses"][status]["$ref"].rpartition("/")[2]
        [content] = DOCUMENT["components"]["responses"][named]["content"].items()
        assert content == ("application/problem+json", {"schema": {"$ref": "#/components/schemas/Problem"}})


def test_every_schema_of_an_answer_is_a_struct_of_ours():
    named = {schema["title"].partition("[")[0] for schema in DOCUMENT["components"]["schemas"].values()}
    assert {"Results", "Problem", "Page", "ContactView", "StrengthView", "NetworkView", "Feed"} <= named
    assert all("infra" not in name and "." not in name for name in DOCUMENT["components"]["schemas"])


def test_times_are_times_and_choices_are_choices():
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["FeedItem"]["properties"]["recorded_at"] == {"type": "string", "format": "date-time"}
    assert set(schemas["ContactRow"]["properties"]["half"]["enum"]) == {
        "online_only", "in_person_only", "both", "named_only",
    }  # fmt: skip
    assert schemas["RecordTouchpoint"]["required"] == ["kind", "occurred_at", "channel", "direction"]


def test_every_body_has_its_example():
    bodies = {
        name: operation["requestBody"] for name, (_, _, operation) in OPERATIONS.items() if "requestBody" in operation
    }
    assert bodies.keys() == BODIES.keys()
    for body in bodies.values():
        for content in body["content"].values():
            assert all("value" in example for example in content["examples"].values())
            assert content["examples"]
    optional = {name for name, body in bodies.items() if not body["required"]}
    assert optional == {
        "strike_touchpoint", "accept_nudge", "dismiss_nudge", "finish_nudge", "rotate_webhook_secret",
        "test_webhook_endpoint", "replay_webhooks",
        "tell_happened", "tell_missed", "cancel_appointment", "cancel_gathering", "start_import",
        "rotate_webhook_source",
    }  # fmt: skip


def test_a_batch_has_its_three_forms():
    content = OPERATIONS["record_touchpoints"][2]["requestBody"]["content"]
    one, many = content["application/json"]["schema"]["oneOf"]
    assert one == many["items"] == {"$ref": "#/components/schemas/RecordTouchpoint"}
    assert many["maxItems"] == 1000
    assert "application/x-ndjson" in content


@pytest.fixture
async def known(bakery: Business) -> dict[str, str]:
    """An id of the bakery's of each kind."""
    return await one_of_each(bakery)


@pytest.mark.parametrize("name", BODIES)
async def test_every_example_is_taken(bakery: Business, known: dict[str, str], name: str):
    method, path, operation = OPERATIONS[name]
    for media_type, content in operation["requestBody"]["content"].items():
        for example in content["examples"].values():
            body = example["value"]
            if name in ("snooze_nudge", "mute_nudges"):
                body = body | {"until": ago(-5)}
            body = filled(body, known)
            sent = {"content": body} if isinstance(body, str) else {"json": body}
            answer = await bakery.client.request(
                method, path.format(**known), headers={"Content-Type": media_type}, **sent
            )
            assert answer.is_success, answer.text
            assert {result["status"] for result in answer.json().get("results", [])} <= {"recorded"}


async def test_the_page_is_whole_without_any_foreign_host(road: Road):
    async with road.client() as client:
        for path in ("/schema", "/schema/swagger"):
            page = await client.get(path)
            assert page.status_code == 200
            assert page.headers["content-type"].startswith("text/html")
            assert re.findall(r"""(?:src|href|url)\s*[=(:]\s*["']?(?:https?:)?//[^\s"']*""", page.text) == []
            assets = re.findall(r'(?:src|href)="([^"]+)"', page.text)
            assert len(assets) >= 4
            for asset in assets:
                found = await client.get(asset)
                assert found.status_code == 200, asset
                if asset.endswith(".css"):
                    assert re.findall(r"url\(\s*[\"']?(?:https?:)?//", found.text) == []


async def test_the_document_is_served_as_it_is(road: Road):
    async with road.client() as client:
        answer = await client.get("/schema/openapi.json")
        assert answer.headers["content-type"] == "application/vnd.oai.openapi+json"
        assert answer.json() == json.loads(json.dumps(DOCUMENT))
        assert (await client.get("/schema/openapi.yaml")).status_code == 200


SCHEMA: BaseSchema = schemathesis.openapi.from_dict(DOCUMENT)


EXAMPLES = 6
SENT = [
    pytest.param(name, mode, id=f"{name}-{mode.value}")
    for name, (_, _, operation) in OPERATIONS.items()
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    if mode is GenerationMode.POSITIVE or operation.get("parameters") or operation.get("requestBody")
]


def cases(name: str, mode: GenerationMode, known: dict[str, str]) -> list[Any]:
    """Requests as the document allows them, or as it does not; about half of them to something that is there."""
    method, path, _ = OPERATIONS[name]
    found: list[Any] = []

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(SCHEMA[path][method.upper()].as_strategy(generation_mode=mode), st.booleans())
    def collect(case: Any, to_something_there: bool) -> None:
        if to_something_there:
            case.path_parameters = {key: known[key] for key in case.path_parameters or {}}
        if isinstance((case.query or {}).get("wait"), int | float):
            case.query["wait"] = min(case.query["wait"], 0)
        found.append(case)

    collect()
    return found


async def send(business: Business, case: Any) -> httpx.Response:
    """With the business's key, over its client: the application lives in this event loop."""
    told = case.as_transport_kwargs(base_url="http://rapport")
    told.pop("cookies", None)
    prepared = requests.Request(**told).prepare()
    headers = {
        name: value.encode("latin-1") if isinstance(value, str) else value
        for name, value in prepared.headers.items()
        if name.lower() not in ("content-length", "authorization")
    }
    return await business.client.request(
        str(prepared.method), str(prepared.url), headers=headers, content=prepared.body or b""
    )


@pytest.mark.parametrize(("name", "mode"), SENT)
async def test_every_answer_is_one_that_the_document_tells(
    bakery: Business, known: dict[str, str], name: str, mode: GenerationMode
):
    for case in cases(name, mode, known):
        case.validate_response(await send(bakery, case), checks=CHECKS)
