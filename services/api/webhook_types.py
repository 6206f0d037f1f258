"""The webhooks of the OpenAPI document: each type of event with its schema and an example, as it is sent."""

import json
from functools import cache
from typing import Any, cast, get_type_hints
from uuid import UUID

import msgspec
from litestar.openapi.spec import (
    Example,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Parameter,
    PathItem,
    Reference,
    RequestBody,
    Schema,
)
from msgspec import Struct

from domain import events, examples
from domain.event import Event, Personal

TENANT = UUID("01990000-0000-7000-8000-000000000001")
HEADERS = {
    "webhook-id": "The event's id: the same at each attempt and each replay. What has it already is a repeat.",
    "webhook-timestamp": "When this attempt was made, in seconds since 1970. Refuse what is over 5 minutes old.",
    "webhook-signature": "`v1,` and the base64 of HMAC-SHA256 over id.timestamp.body; one for each live secret.",
}


@cache
def told(event: type[Event]) -> type[Struct]:
    """What is told of an event: all its fields but the personal ones, each always there."""
    hints = get_type_hints(event, include_extras=True)
    fields = [(name, _told(hints[name])) for name in event.__struct_fields__ if name != "personal"]
    return msgspec.defstruct(f"{event.__name__}Data", fields, namespace={"__doc__": event.__doc__}, frozen=True)


def _told(kind: Any) -> Any:
    return told(kind) if isinstance(kind, type) and issubclass(kind, Event) else kind


def example(event: Event) -> dict[str, Any]:
    """A webhook about this event, as the body of the request."""
    body = {
        "type": event.TYPE,
        "timestamp": examples.NOON,
        "tenant": TENANT,
        "position": 17,
        "data": events.public(event),
    }
    found: dict[str, Any] = json.loads(msgspec.json.encode(body))
    return found


def test_data(event_type: str) -> object:
    """What a test tells: the example of this type, or that nothing happened."""
    shown = next((one for one in examples.EVENTS if event_type == one.TYPE), None)
    return {"message": "This is a test. Nothing happened."} if shown is None else events.public(shown)


def markdown() -> str:
    """Every type with what it says and an example, for people."""
    shown = {one.TYPE: one for one in examples.EVENTS}
    parts = [
        f"### `{name}`\n\n{' '.join((event.__doc__ or '').split())}\n\n```json\n"
        f"{json.dumps(example(shown[name])['data'], ensure_ascii=False)}\n```\n"
        for name, event in sorted(events.TYPES.items())
    ]
    return "\n".join(parts)


def described() -> tuple[dict[str, PathItem | Reference], dict[str, Any]]:
    """The document's `webhooks`, and the schemas they refer to."""
    kinds = [told(event) for event in events.TYPES.values()]
    schemas, components = msgspec.json.schema_components([*kinds, Personal], ref_template="#/components/schemas/{name}")
    shown = {one.TYPE: one for one in examples.EVENTS}
    paths: dict[str, PathItem | Reference] = {
        name: _path(event, cast(Schema, schema), shown[name])
        for (name, event), schema in zip(events.TYPES.items(), schemas, strict=False)
    }
    return paths, components


def _path(event: type[Event], data: Schema, shown: Event) -> PathItem:
    envelope = {
        "type": "object",
        "required": ["type", "timestamp", "tenant", "position", "data"],
        "properties": {
            "type": {"const": event.TYPE},
            "timestamp": {"type": "string", "format": "date-time", "description": "When it happened."},
            "tenant": {"type": "string", "format": "uuid", "description": "The business."},
            "position": {"type": "integer", "description": "Its place in the business's log: 1, 2, 3, without gaps."},
            "data": data,
            "personal": {"$ref": "#/components/schemas/Personal", "description": "Where the endpoint asks for it."},
            "test": {"const": True, "description": "Only in a test: nothing happened."},
        },
    }
    content = OpenAPIMediaType(
        schema=cast(Schema, envelope), examples=cast(Any, {"example": Example(value=example(shown))})
    )
    return PathItem(
        post=Operation(
            operation_id=f"told_{event.TYPE.replace('.', '_')}",
            tags=["Webhooks"],
            summary=event.TYPE,
            description=" ".join((event.__doc__ or "").split()),
            security=[],
            parameters=[
                Parameter(name=name, param_in="header", required=True, description=text, schema=cast(Schema, _STRING))
                for name, text in HEADERS.items()
            ],
            request_body=RequestBody(required=True, content={"application/json": content}),
            responses={"2XX": OpenAPIResponse(description="Taken.")},
        )
    )


_STRING = {"type": "string"}
