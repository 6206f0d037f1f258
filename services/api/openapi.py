"""The OpenAPI document and its page, from our own files alone."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple, cast

import msgspec
import swagger_ui
from litestar import Litestar, Response
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, SwaggerRenderPlugin, YamlRenderPlugin
from litestar.openapi.spec import (
    Components,
    Contact,
    Example,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Parameter,
    PathItem,
    Reference,
    RequestBody,
    Schema,
    SecurityScheme,
    Tag,
)
from litestar.router import Router
from litestar.routes import HTTPRoute
from litestar.static_files import create_static_files_router
from litestar.types import Empty
from litestar.typing import FieldDefinition
from msgspec import Meta

from domain.merges import TellApart
from domain.referrals import MakeReferral
from domain.ties import MakeIntroduction, NoteTie
from domain.touchpoints import RecordTouchpoint
from services.api import examples, webhook_types
from services.api.merges import MergeResults
from services.api.parameters import parameters_of
from services.api.problems import JSON_PROBLEM, Problem
from services.api.requests import JSON
from services.api.touchpoints import MAX_ITEMS, NDJSON, Results

ASSETS = Path(swagger_ui.__file__).parent / "static"
ASSETS_PATH = "/schema-assets"
Schemas = dict[object, Schema]

# Problems by status: the component's name and when it is answered.
PROBLEMS: dict[int, tuple[str, str]] = {
    400: ("BadRequest", "The request is not valid; `field` names the input at fault."),
    401: ("Unauthorized", "The key is missing, wrong or revoked."),
    403: ("Forbidden", "The business is suspended."),
    404: ("NotFound", "The business has nothing of this id."),
    409: (
        "Conflict",
        "The key or id was used with other content, the identity is somebody's, or a rule forbids it.",
    ),
    410: ("Gone", "It speaks of a person who was erased."),
    412: ("Stale", "It changed after the version that If-Match names."),
    413: (
        "TooLarge",
        "More than 1 MB in all, 64 kB for one touchpoint, too many values for the size, or too large a file.",
    ),
    414: ("AddressTooLong", "The path and its parameters take more than 32,000 bytes."),
    415: ("UnsupportedMediaType", "The body is of a form this does not read."),
    431: ("HeaderTooLong", "A header takes more than 8,000 characters; `field` names it."),
    503: ("Unavailable", "The database is away, or a view does not reach `after` in time. Send the same again."),
}


def config() -> OpenAPIConfig:
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
            security_schemes={
                "key": SecurityScheme(type="http", scheme="bearer", description="An API key: rapport_live_...")
            },
        ),
        security=[{"key": []}],
        use_handler_docstrings=True,
        tags=[
            Tag("Touchpoints", "What happened between the business and people."),
            Tag("Contacts", "The people and organisations the business knows."),
            Tag("Appointments", "Planned meetings, and whether they happened."),
            Tag("Gatherings", "Occasions in one place at one time: who wants to come, who came, what it led to."),
            Tag("Network", "The two halves, and the places where the network lives."),
            Tag("Referrals", "People handed over, people brought together, and who knows whom."),
            Tag("Imports", "Files people bring: read, their people sorted, recorded, undone."),
            Tag("Nudges", "Suggested acts, with their reasons. People act; the system never writes to a contact."),
            Tag("Events", "Everything that happened, in order."),
            Tag("Webhooks", "Everything that happened, told to other systems: signed, tried again, replayed."),
            Tag("Webhooks in", "What other systems tell: verified, kept, mapped, and quarantined where it cannot be."),
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


class Described(NamedTuple):
    """An operation of the document, and what its handler takes as its body and answers."""

    path: str
    method: str
    operation: Operation
    handler: HTTPRouteHandler
    takes: object
    answers: object


def complete(app: Litestar) -> None:
    """Put into the document what the framework cannot know.

    The schemas become msgspec's own, which reads and writes the bodies; problems, examples and the three forms of a
    batch are added to the operations they apply to.
    """
    document = app.openapi_schema
    described = list(_described(app, document.paths or {}))
    types = {kind for one in described for kind in (one.takes, one.answers)} | {Problem, RecordTouchpoint}
    wanted = [kind for kind in types if kind not in (None, type(None), bytes)]
    found, components = msgspec.json.schema_components(
        wanted, schema_hook=_anything, ref_template="#/components/schemas/{name}"
    )
    schemas: Schemas = {kind: cast(Schema, schema) for kind, schema in zip(wanted, found, strict=True)}
    document.webhooks, told = webhook_types.described()
    document.components.schemas = cast(dict[str, Schema], dict(sorted((components | told).items())))
    document.components.responses = {name: _problem(description, schemas) for name, description in PROBLEMS.values()}
    for one in described:
        _complete_inputs(one, schemas)
        _complete_answers(one, schemas)


def _anything(kind: type) -> dict[str, object]:
    if kind is not object:
        raise NotImplementedError
    return {"description": "as the type of event has it"}


def _described(app: Litestar, paths: Mapping[str, PathItem]) -> Iterator[Described]:
    for route in app.routes:
        for method, (handler, _) in route.route_handler_map.items() if isinstance(route, HTTPRoute) else ():
            if handler.resolve_include_in_schema():
                operation: Operation = getattr(paths[route.path_format], method.lower())
                takes, answers = handler.parsed_data_field, handler.parsed_fn_signature.return_type
                if answers.is_subclass_of(Response):
                    [answers] = answers.inner_types
                body = takes.annotation if takes else None
                yield Described(route.path_format, method, operation, handler, body, answers.annotation)


def _complete_inputs(one: Described, schemas: Schemas) -> None:
    taken = parameters_of(one.handler)
    for parameter in cast(list[Parameter], one.operation.parameters or []):
        parameter.schema = _parameter(taken[parameter.name])
    if one.answers is Results:
        one.operation.request_body = _batch(schemas)
    elif one.operation.operation_id == "bring_import":
        one.operation.request_body = _file()
    elif one.takes is not None:
        example = {"example": Example(value=examples.BODIES[str(one.operation.operation_id)])}
        content = {JSON: OpenAPIMediaType(schema=schemas[one.takes], examples=cast(Any, example))}
        one.operation.request_body = RequestBody(content=content, required=not _optional(one))


def _file() -> RequestBody:
    """Any file: what it is, is found in it."""
    schema = cast(Schema, {"type": "string", "format": "binary"})
    written = {"table": Example(value=examples.BODIES["bring_import"])}
    content = OpenAPIMediaType(schema=schema, examples=cast(Any, written))
    return RequestBody(required=True, content={"application/octet-stream": content})


def _parameter(field: FieldDefinition) -> Schema:
    """As the handler takes it when it is given at all."""
    given = next((one for one in field.inner_types if not one.is_none_type), field) if field.is_optional else field
    limits = {
        name: limit
        for name in ("ge", "le", "min_length", "max_length")
        if (limit := getattr(field.kwarg_definition, name)) is not None
    }
    schema = msgspec.json.schema(Annotated[given.annotation, Meta(**limits)])
    return cast(Schema, schema if field.default in (None, Empty) else {**schema, "default": field.default})


def _optional(one: Described) -> bool:
    """Whether the body may be left out: that of an act on something there, which reads as {} then."""
    try:
        msgspec.convert({}, type=cast(type[object], one.takes))
    except msgspec.ValidationError:
        return False
    return one.method == "POST" and "{" in one.path


def _batch(schemas: Schemas) -> RequestBody:
    """One touchpoint, an array of them, or one a line."""
    one = schemas[RecordTouchpoint]
    many = cast(Schema, {"type": "array", "items": one, "minItems": 1, "maxItems": MAX_ITEMS})
    lines = "".join(msgspec.json.encode(line).decode() + "\n" for line in (examples.MESSAGE, examples.POST))
    written = {"one": Example(value=examples.MEETING), "several": Example(value=[examples.MESSAGE, examples.POST])}
    return RequestBody(
        required=True,
        content={
            JSON: OpenAPIMediaType(
                schema=cast(Schema, {"oneOf": [one, many]}),
                examples=cast(Any, written),
            ),
            NDJSON[0]: OpenAPIMediaType(
                schema=cast(Schema, {"type": "string", "description": "One touchpoint as a JSON object a line."}),
                examples=cast(Any, {"lines": Example(value=lines)}),
            ),
        },
    )


def _complete_answers(one: Described, schemas: Schemas) -> None:
    """The answer's own schema, and the problems this operation may answer instead."""
    responses = cast(dict[str, OpenAPIResponse | Reference], one.operation.responses)
    responses.pop("400", None)
    answered = cast(OpenAPIResponse, next(iter(responses.values())))
    answered.description = "Done."
    if one.answers in (None, type(None)):
        answered.content = None
    elif one.answers is not bytes:
        answered.content = {JSON: OpenAPIMediaType(schema=schemas[one.answers])}
    if not one.path.startswith("/v1/"):
        one.operation.security = []
        return
    for status in _statuses(one):
        responses[str(status)] = Reference(ref=f"#/components/responses/{PROBLEMS[status][0]}")
    if one.answers in (Results, MergeResults):
        responses["422"] = _nothing_recorded(schemas[one.answers], schemas)


# Bodies that name people, who may not be there.
NAMING_PEOPLE = (MakeReferral, MakeIntroduction, NoteTie, TellApart)


def _statuses(one: Described) -> Iterator[int]:
    yield from (400, 401, 403, 414, 431)
    if "{" in one.path or one.takes in NAMING_PEOPLE or "root" in parameters_of(one.handler):
        yield 404
    if one.operation.request_body is not None:
        yield from (409, 410, 413, 415)
    elif one.method == "POST":
        yield 409
    if "If-Match" in parameters_of(one.handler):
        yield 412
    yield 503


def _problem(description: str, schemas: Schemas) -> OpenAPIResponse:
    return OpenAPIResponse(description=description, content={JSON_PROBLEM: OpenAPIMediaType(schema=schemas[Problem])})


def _nothing_recorded(results: Schema, schemas: Schemas) -> OpenAPIResponse:
    return OpenAPIResponse(
        description="No item was recorded or known: the results say why. A problem where it is none or too many.",
        content={
            JSON: OpenAPIMediaType(schema=results),
            JSON_PROBLEM: OpenAPIMediaType(schema=schemas[Problem]),
        },
    )
