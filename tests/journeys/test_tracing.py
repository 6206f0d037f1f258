"""Traces: the spans of one touchpoint's journey, as a collector gets them, and nothing at all without one."""

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from infra.projector import PROJECTIONS
from tests.conftest import Servers
from tests.journeys.processes import ENVIRONMENT, PROJECT, Fleet, fleet, until
from tests.services.api.told import NOBODY, touchpoint

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector:
    """A receiver of OTLP over HTTP, as far as it is one."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        collector = self

        class Receiver(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                collector.received.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def spans(self) -> list[tuple[str, Span]]:
        """Each with the name of its service."""
        found = []
        for body in list(self.received):
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                service = {one.key: one.value.string_value for one in resource.resource.attributes}["service.name"]
                found += [(service, span) for scope in resource.scope_spans for span in scope.spans]
        return found

    def named(self, service: str, name: str) -> list[Span]:
        return [span for whose, span in self.spans() if (whose, span.name) == (service, name)]


@pytest.fixture
def collector() -> Iterator[Collector]:
    one = Collector()
    yield one
    one.server.shutdown()


def attributes(span: Span) -> dict[str, Any]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


async def add_business(ships: Fleet) -> tuple[str, dict[str, str]]:
    added = json.loads((await ships.command("tenant", "add", "Kryptonite Bakery", "--json")).out)
    return added["tenant_id"], {"Authorization": f"Bearer {added['api_key']}"}


@pytest.mark.slow
async def test_the_journey_of_a_touchpoint_can_be_followed_and_shows_nothing_of_anybody(
    servers: Servers, collector: Collector
):
    traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.address, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    async with fleet(servers) as ships:
        _, address = await ships.start_api(**traced)
        ships.start("worker", **traced)
        tenant_id, key = await add_business(ships)
        ana = {"email": "kryptonite@example.com", "name": "Kryptonite Ana"}
        said = touchpoint(note="a kryptonite note", **{"with": [ana]})
        async with httpx.AsyncClient(base_url=address, headers=key) as client:
            caller = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
            answer = await client.post("/v1/touchpoints", json=said, headers=caller)
            position = answer.json()["results"][0]["position"]
            found = await client.get("/v1/contacts", params={"q": "Kryptonite", "after": position})
            assert len(found.json()["items"]) == 1
            malformed = await client.get(f"/v1/contacts/{NOBODY}", headers={"traceparent": "nonsense"})
            assert malformed.status_code == 404
        works = [f"advance {name}" for name in PROJECTIONS]
        await until(lambda: all(collector.named("rapport-worker", name) for name in works))
        await until(lambda: bool(collector.named("rapport-api", "GET /v1/contacts/{contact_id}")))

        [request] = collector.named("rapport-api", "POST /v1/touchpoints")
        assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, CALLER)
        assert request.kind == Span.SPAN_KIND_SERVER
        assert attributes(request) == {
            "http.request.method": "POST",
            "http.route": "/v1/touchpoints",
            "http.response.status_code": 200,
            "rapport.request_id": answer.headers["x-request-id"],
        }
        [batch] = [one for one in collector.named("rapport-api", "append batch") if one.links]
        assert [one.span_id for one in batch.links] == [request.span_id]
        assert attributes(batch) == {"rapport.appends": 1}
        work = collector.named("rapport-worker", "advance timeline")[-1]
        assert attributes(work)["rapport.tenant"] == tenant_id
        assert attributes(work)["rapport.to"] >= position
        for parent in (request, batch, work):
            statements = [one for _, one in collector.spans() if one.parent_span_id == parent.span_id]
            assert statements, parent.name
            assert {one.kind for one in statements} == {Span.SPAN_KIND_CLIENT}
            assert {one.trace_id for one in statements} == {parent.trace_id}
            assert all(set(attributes(one)) == {"db.system.name", "db.query.text"} for one in statements)
        refused = collector.named("rapport-api", "GET /v1/contacts/{contact_id}")[0]
        assert refused.trace_id.hex() != TRACE
        assert not any(one.events for _, one in collector.spans()), "what an exception says may be personal"
        assert {one.status.code for _, one in collector.spans()} == {Status.STATUS_CODE_UNSET}
        everything = b"".join(collector.received).lower()
        assert b"kryptonite" not in everything
        assert f'"trace_id": "{TRACE}"' in ships.said()


def alone(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """These lines in a Python of their own."""
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=PROJECT, env={**ENVIRONMENT, **variables}, capture_output=True, text=True, check=False
    )


def test_without_a_collector_nothing_of_opentelemetry_is_imported():
    done = alone(
        "import sys, services.server, services.api.app, services.workers.main\n"
        "from infra import tracing\n"
        "tracing.start('api')\n"
        "with tracing.request('GET', []), tracing.span('work', caused_by=[tracing.here()]):\n"
        "    tracing.answered('GET', '/', 200, 'id')\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')], tracing.trace_id())"
    )
    assert (done.stdout, done.stderr) == ("[] None\n", "")


def test_a_collector_without_the_packages_is_refused_in_a_sentence():
    code = "import sys; sys.modules['opentelemetry.sdk.trace'] = None\nfrom infra import tracing; tracing.start('api')"
    done = alone(code, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:4318")
    assert done.returncode == 1
    assert "OTEL_EXPORTER_OTLP_ENDPOINT is set, and tracing is not installed: make setup installs it." in done.stderr
