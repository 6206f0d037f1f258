"""Mastodon and other servers of the Fediverse: who mentions us, answers, likes, shares or follows.

A notification as Mastodon's API has it (`id, type, created_at, account.acct, account.url, account.display_name,
status.visibility`), or an ActivityPub activity (`type: Create, actor, published, object.tag[]` with a `Mention`; with
the source's `account`, such as @us@example.social, only those that name it). The words themselves are not kept.
"""

from datetime import datetime
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from msgspec import Meta, Struct

from domain.adapters.outcomes import Commands, Instant, Message, Nothing, Outcome, Unmapped, named, shaped, strict
from domain.errors import Invalid
from domain.touchpoints import Kind, RecordTouchpoint, Reference

KINDS: dict[str, Kind] = {"mention": "mention", "favourite": "like", "reblog": "share", "follow": "follow"}


Url = Annotated[str, Meta(max_length=2_000)]


class Type(Struct):
    type: str


class Account(Struct):
    acct: str
    url: Url | None = None
    display_name: str | None = None


class Status(Struct):
    visibility: str = "public"


class Notification(Struct):
    id: str
    type: str
    created_at: Instant
    account: Account
    status: Status | None = None


class Tag(Struct):
    type: str = ""
    name: str = ""


class Note(Struct):
    tag: tuple[Tag, ...] = ()


class Activity(Struct):
    id: str
    actor: Url
    published: Instant
    object: Note


def read(message: Message) -> Outcome:
    kind = shaped(message.payload, Type).type
    if kind == "Create":
        return _activity(shaped(message.payload, Activity), message.settings.get("account", ""))
    if kind not in KINDS:
        return Nothing(f"{kind[:80]} is nothing between us and anybody")
    return _notification(shaped(message.payload, Notification))


def _notification(told: Notification) -> Outcome:
    direct = told.type == "mention" and told.status is not None and told.status.visibility == "direct"
    who = told.account
    host = _parts(who.url, field="account.url").hostname if who.url else None
    if "@" not in who.acct and host is None:
        return Unmapped("the account says neither its server nor its address")
    handle = who.acct if "@" in who.acct else f"{who.acct}@{host}"
    return _told("direct_message" if direct else KINDS[told.type], told.created_at, handle, who.display_name, told.id)


def _activity(told: Activity, account: str) -> Outcome:
    mentions = [tag.name.casefold().lstrip("@") for tag in told.object.tag if tag.type == "Mention"]
    if not mentions or (account and account.casefold().lstrip("@") not in mentions):
        return Nothing("it does not mention us")
    parts = _parts(told.actor, field="actor")
    name = parts.path.rstrip("/").rpartition("/")[2].lstrip("@")
    if not parts.hostname or not name:
        raise Invalid("this is not the address of an account", field="actor")
    return _told("mention", told.published, f"{name}@{parts.hostname}", None, told.id)


def _parts(url: str, *, field: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise Invalid("this is not the address of an account", field=field) from None


def _told(kind: Kind, at: datetime, handle: str, name: str | None, own_id: str) -> Outcome:
    touchpoint = RecordTouchpoint(
        kind=kind,
        occurred_at=at,
        channel="mastodon",
        direction="in",
        people=(Reference(platform="mastodon", handle=handle, name=named(name)),),
        source_id=own_id,
    )
    return Commands((strict(touchpoint),))
