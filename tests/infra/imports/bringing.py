"""Files as people would bring them, and imports of them step by step."""

import io
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from domain.contacts import IdentityGiven
from infra import projector
from infra.context import Context
from infra.imports import whole
from infra.imports.job import Import
from infra.imports.whole import Answers
from infra.stored_events import Origin
from tests.infra.quiet import NOON, Shop

US = IdentityGiven("email", "shop@bakery.example")
OWNER = Origin(actor="owner", source="cli")
HEADER = "kind,when,who,where,direction,note,organisation"


def table(*rows: str) -> bytes:
    """Our own table."""
    return "\n".join([HEADER, *rows, ""]).encode()


def meetings(count: int, *, people: int = 10, company: str = "Mill Ltd") -> bytes:
    """So many meetings with people of a company, in turn."""
    return table(
        *(
            f"meeting,{NOON + timedelta(minutes=n)},P{n % people} <p{n % people}@mill.example>,cafe,,,{company}"
            for n in range(count)
        )
    )


def calendar(*entries: tuple[str, datetime, str]) -> bytes:
    """Meetings of us with somebody, by their UID; one with a `-` before it is cancelled, with a `!` private."""
    told = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN"]
    for uid, at, who in entries:
        told += [
            "BEGIN:VEVENT",
            *(["STATUS:CANCELLED"] if uid.startswith("-") else []),
            *(["CLASS:PRIVATE"] if uid.startswith("!") else []),
            f"UID:{uid.lstrip('-!')}",
            f"DTSTAMP:{at:%Y%m%dT%H%M%SZ}",
            f"DTSTART:{at:%Y%m%dT%H%M%SZ}",
            f"DTEND:{at + timedelta(hours=1):%Y%m%dT%H%M%SZ}",
            "SUMMARY:Flour",
            "LOCATION:Cafe Central",
            "ORGANIZER:mailto:shop@bakery.example",
            "ATTENDEE;PARTSTAT=ACCEPTED:mailto:shop@bakery.example",
            f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{who}",
            "END:VEVENT",
        ]
    return "\r\n".join([*told, "END:VCALENDAR", ""]).encode()


def lines(items: Iterable[dict[str, Any]]) -> bytes:
    """NDJSON, as the API takes it."""
    return b"".join(msgspec.json.encode(item) + b"\n" for item in items)


async def brought(
    shop: Shop, content: bytes, *, name: str = "touchpoints.csv", answers: Answers | None = None
) -> Import:
    """A file, brought and recorded to the end."""
    return await whole.import_file(
        shop.context, shop.tenant, io.BytesIO(content), file_name=name, answers=answers or Answers(), origin=OWNER
    )


async def dried(shop: Shop, content: bytes, *, name: str = "touchpoints.csv", answers: Answers | None = None) -> Import:
    """A file after its dry run."""
    return await whole.dry_run(
        shop.context, shop.tenant, io.BytesIO(content), file_name=name, answers=answers or Answers(), origin=OWNER
    )


async def undone(shop: Shop, found: Import) -> Import:
    return await whole.undo(shop.context, shop.tenant, found.import_id)


async def accounts(shop: Shop, found: Import) -> list[dict[str, Any]]:
    """Every row's account, in order."""
    return await shop.rows("SELECT * FROM import_row WHERE import_id = $1 ORDER BY row", found.import_id)


async def outcomes(shop: Shop, found: Import) -> Counter[str]:
    """How many rows became what; the import's own numbers say the same."""
    counted = Counter(row["outcome"] for row in await accounts(shop, found))
    told = {
        outcome: getattr(found, outcome)
        for outcome in ("recorded", "known", "skipped", "rejected", "waiting", "private", "undone")
    }
    assert {outcome: number for outcome, number in told.items() if number} == dict(counted)
    return counted


async def looked(context: Context) -> None:
    """Every view has seen everything."""
    while await projector.advance(context):
        pass
