"""The OpenAPI document and its page, from our own files alone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import swagger_ui
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, SwaggerRenderPlugin, YamlRenderPlugin
from litestar.openapi.spec import (
    Components,
    Contact,
    Example,
    OpenAPIMediaType,
    Operation,
    Reference,
    RequestBody,
    Schema,
    SecurityScheme,
    Tag,
)
from litestar.static_files import create_static_files_router
from litestar.router import Router

from domain.touchpoints import RecordTouchpoint

ASSETS = Path(swagger_ui.__file__).parent / "static"
ASSETS_PATH = "/schema-assets"

ONE = {
    "kind": "handshake",
    "occurred_at": "2026-05-06T08:15:00+02:00",
    "channel": "chamber",
    "direction": "mutual",
    "with": [{"email": "ana@example.com", "name": "Ana Bakes"}],
    "note": "met at the breakfast, she looks for a supplier of flour",
    "source": "notebook",
    "source_id": "2026-05-06/1",
}
LINE = (
    '{"kind": "direct_message", "occurred_at": "2026-05-07T10:00:00Z", "channel": "linkedin", "direction": "in",'
    ' "with": [{"platform": "linkedin", "handle": "ana-bakes"}]}'
)


@dataclass
class TouchpointOperation(Operation):
    """The batch route reads its body itself, so its three forms are described here."""

    def __post_init__(self) -> None:
        one = Reference(ref="#/components/schemas/RecordTouchpoint")
        many = Schema(type="array", items=one, min_items=1, max_items=1000)  # type: ignore[arg-type]
        self.request_body = RequestBody(
            required=True,
            content={
                "application/json": OpenAPIMediaType(
                    schema=Schema(one_of=[one, many]),
                    examples={"one": Example(value=ONE), "several": Example(value=[ONE])},
                ),
                "application/x-ndjson": OpenAPIMediaType(
                    schema=Schema(type="string"),  # type: ignore[arg-type]
                    examples={"lines": Example(value=LINE + "\n" + LINE + "\n")},
                ),
            },
        )


def config() -> OpenAPIConfig:
    _, schemas = msgspec.json.schema_components([RecordTouchpoint], ref_template="#/components/schemas/{name}")
    components: dict[str, Any] = dict(schemas)
    return OpenAPIConfig(
        title="Rapport",
        version="1",
        summary="The relationships of small businesses",
        description=(
            "Every touchpoint is an immutable event; views of strength, halves and nudges are folded from them. "
            "Every write answers with its `position`; give it to a read as `after` and the read shows the write. "
            "Errors are RFC 9457 problem documents. Times carry their offset and are kept in UTC."
        ),
        contact=Contact(name="Rapport"),
        path="/schema",
        components=Components(
            schemas=components,
            security_schemes={
                "key": SecurityScheme(type="http", scheme="bearer", description="An API key: rapport_live_...")
            },
        ),
        security=[{"key": []}],
        tags=[
            Tag("Touchpoints", "What happened between the business and people."),
            Tag("Contacts", "The people and organisations the business knows."),
            Tag("Network", "The two halves, and the places where the network lives."),
            Tag("Nudges", "Suggested acts, with their reasons. People act; the system never writes to a contact."),
            Tag("Events", "Everything that happened, in order."),
            Tag("Operation", "Is it up, is it keeping up."),
        ],
        render_plugins=[
            SwaggerRenderPlugin(
                path=["/", "/swagger"],
                js_url=f"{ASSETS_PATH}/swagger-ui-bundle.js",
                css_url=f"{ASSETS_PATH}/swagger-ui.css",
                standalone_preset_js_url=f"{ASSETS_PATH}/swagger-ui-standalone-preset.js",
                favicon=f'<link rel="icon" type="image/png" href="{ASSETS_PATH}/favicon-32x32.png">',
            ),
            JsonRenderPlugin(),
            YamlRenderPlugin(),
        ],
    )


def assets() -> Router:
    """Swagger UI's files, as the package brings them."""
    return create_static_files_router(path=ASSETS_PATH, directories=[ASSETS], include_in_schema=False)
