"""/g/{token}: the public page of a gathering, on which guests enter themselves. Plain HTML: no script, no cookie."""

import base64
import hashlib
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs

import structlog
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Controller, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.params import PathParameter
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Redirect, Template
from litestar.template import TemplateConfig
from markupsafe import Markup

from domain import gatherings as rules
from domain.bodies import TooLarge, Unsupported
from domain.errors import NotFound, Refused
from domain.gatherings import EnterGuest
from domain.recurrence import GatheringPlan, Occurrence
from infra import gatherings
from infra.context import Context
from infra.database import GONE
from infra.event_log import Unavailable
from infra.gatherings import PublicPage, TooMany
from infra.views.gatherings import when
from services.api.requests import Caller

FOLDER = Path(__file__).parent / "templates"
STYLE = (FOLDER / "page.css").read_text(encoding="utf-8")
STYLE_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{STYLE_DIGEST}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}
FORM = "application/x-www-form-urlencoded"
MAX_FORM = 16_000
NOT_WRITTEN = EnterGuest(name="", email="")

log = structlog.get_logger()


def _environment() -> Environment:
    """Everything a template shows is escaped; a name it does not know is an error."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.globals.update(style=Markup(STYLE), day=_day, hours=_hours, town=_town)  # noqa: S704 - our own file
    return environment


def _day(one: Occurrence) -> str:
    """Friday 8 May 2026."""
    return when(one).partition(", ")[0]


def _hours(one: Occurrence) -> str:
    """17:00 to 19:00 PDT."""
    return when(one).partition(", ")[2]


def _town(plan: GatheringPlan) -> str:
    """Los Angeles, as its zone is called."""
    return plan.time_zone.rpartition("/")[2].replace("_", " ")


TEMPLATES = TemplateConfig(instance=JinjaTemplateEngine(engine_instance=_environment()))
AnyRequest = Request[Caller, str, State]
Token = Annotated[str, PathParameter(description="What makes the address secret.")]


def _gone(request: AnyRequest, error: Exception) -> Template:
    """The same for an address that never was, was closed or rotated, and for a gathering that is over."""
    text = "Perhaps it is over, or its address is another one now. Ask those who told you about it."
    return _notice(404, "There is nothing here", text)


def _away(request: AnyRequest, error: Exception) -> Template:
    log.error("database_unavailable", error=type(error).__name__)
    return _notice(503, "Please try again", "We cannot read or note anything at this moment. Try again in a minute.")


def _too_large(request: AnyRequest, error: Exception) -> Template:
    return _notice(413, "That is too much", "Please go back, and write less.")


def _unread(request: AnyRequest, error: Exception) -> Template:
    return _notice(415, "We cannot read this", "Please go back, and use the form on the page.")


def _refused(request: AnyRequest, error: HTTPException) -> Template:
    if error.status_code == 413:
        return _too_large(request, error)
    return _notice(error.status_code, "That did not work", "Please go back, and use the form on the page.")


def _notice(status: int, heading: str, text: str) -> Template:
    context = {"heading": heading, "text": text}
    return Template("notice.html", context=context, status_code=status, headers=HEADERS)


class GuestController(Controller):
    """No part of the API's document: it is for people."""

    path = "/g"
    include_in_schema = False
    exception_handlers = {  # noqa: RUF012 - the framework's way
        NotFound: _gone,
        TooLarge: _too_large,
        Unsupported: _unread,
        HTTPException: _refused,
        Unavailable: _away,
        **dict.fromkeys(GONE, _away),
    }

    @get("/{token:str}")
    async def show(self, token: Token, context: NamedDependency[Context]) -> Template:
        return _form(await gatherings.page_at(context, token), token)

    @post("/{token:str}")
    async def enter(
        self, token: Token, request: AnyRequest, context: NamedDependency[Context]
    ) -> Template | Redirect | Response[None]:
        """Whoever was known before and whoever was not is answered the same. What fills the trap is thanked too."""
        page = await gatherings.page_at(context, token)
        fields = await _fields(request)
        wrote = EnterGuest(
            name=fields.get("name", ""),
            email=fields.get("email", ""),
            handle=fields.get("handle", ""),
            consent=fields.get("consent") == "yes",
        )
        try:
            await gatherings.count_entry(context, page)
            if faults := rules.check_guest(wrote):
                return _form(page, token, wrote=wrote, faults=faults, status=422)
            if not fields.get("website"):
                await gatherings.enter(
                    context, page, wrote, token=token, request_id=request.scope["state"]["request_id"]
                )
        except NotFound:
            raise
        except TooMany:
            notice = "Many people are filling this in right now. Please send it again in ten minutes."
            return _form(page, token, wrote=wrote, notice=notice, status=429)
        except Refused as refusal:
            log.info("guest_refused", reason=refusal.reason)
            notice = "We could not note this. Please tell us yourself when you come."
            return _form(page, token, wrote=wrote, notice=notice, status=409)
        return Redirect(f"/g/{token}/thanks", status_code=303, headers=HEADERS)

    @get("/{token:str}/thanks")
    async def thank(self, token: Token, context: NamedDependency[Context]) -> Template:
        page = await gatherings.page_at(context, token)
        shown = {"page": page, "coming": page.coming, "token": token}
        return Template("thanks.html", context=shown, headers=HEADERS)


def _form(
    page: PublicPage,
    token: str,
    *,
    wrote: EnterGuest = NOT_WRITTEN,
    faults: dict[str, str] | None = None,
    notice: str | None = None,
    status: int = 200,
) -> Template:
    shown = {
        "page": page,
        "coming": page.coming,
        "token": token,
        "wrote": wrote,
        "faults": faults or {},
        "notice": notice,
    }
    headers = HEADERS | ({"Retry-After": "600"} if status == 429 else {})
    return Template("gathering.html", context=shown, status_code=status, headers=headers)


async def _fields(request: AnyRequest) -> dict[str, str]:
    """The form as it was sent. Raises Unsupported, TooLarge."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise Unsupported("send the form of the page", field="Content-Type")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM:
            raise TooLarge("a form takes at most 16 kB")
    try:
        found = parse_qs(body.decode(errors="replace"), keep_blank_values=True, max_num_fields=20, errors="replace")
    except ValueError:
        raise TooLarge("a form has at most 20 fields") from None
    return {name: values[-1] for name, values in found.items()}
