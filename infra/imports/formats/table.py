"""Our own table: a row for each touchpoint, with the columns kind, when, who, where, direction, note and a few more."""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from domain.contacts import IdentityGiven
from domain.errors import Invalid
from domain.imports import Person, Reading, Row, TouchpointRow
from infra.imports.formats import dates, proposals
from infra.imports.formats.delimited import Header, Record, Table, find_header, layout
from infra.imports.formats.format import File, Format, nobody
from infra.imports.formats.people import identity, person, told
from infra.imports.formats.proposals import Passed
from infra.imports.formats.seen import Seen
from infra.imports.formats.texts import clean, content_id, folded, mended, shown, slug

NAME = "table"
LAYOUT = layout(
    [("kind",), ("when",), ("who", "email", "phone", "profile")],
    short_rows=True,
    kind="kind|type|art|was|genre|tipo|clase|soort|was war",
    when="when|date|occurred at|wann|datum|am|quand|date et heure|cuándo|fecha|quando|data|wanneer",
    who="who|with|name|person|wer|mit|mit wem|qui|avec|nom|quién|con|nombre|chi|nome|quem|com|wie|met|naam",
    where="where|channel|place|wo|kanal|ort|où|canal|lieu|dónde|lugar|dove|canale|luogo|onde|waar|kanaal|plaats",
    direction="direction|richtung|sens|dirección|direzione|direção|richting",
    note="note|notes|notiz|notizen|remarque|nota|notas|note libere|opmerking|notitie",
    email="email|e mail|email address|e mail adresse|mail|courriel|adresse e mail|correo electrónico|e mailadres",
    phone="phone|telephone|mobile|telefon|handy|téléphone|teléfono|móvil|telefono|cellulare|telefone|telefoon",
    profile="profile|url|handle|profil|perfil|profilo|profiel",
    organisation="organisation|organization|company|firma|unternehmen|entreprise|société|empresa|azienda|bedrijf",
    role="role|position|job title|funktion|rolle|fonction|poste|cargo|puesto|ruolo|função|functie",
    minutes="minutes|duration|minuten|dauer|durée|minutos|duración|minuti|durata|duração|duur",
    act="act", about="about", depth="depth", audience="audience", topics="topics|themen|sujets|temas|temi|onderwerpen",
    id="id|source id|nummer|kennung|identifiant|identificador|identificativo",
)  # fmt: skip
_MOST_PEOPLE = 1_000
_MENDED = 40_000  # characters; a note that is longer is too long, mended or not
_TOPICS = 20
_COLUMNS = {"occurred_at": "when", "channel": "where", "with": "who", "source_id": "id"}

_KINDS = {
    "mail": "email", "e_mail": "email", "phone": "call", "phone_call": "call", "telephone": "call",
    "dm": "direct_message", "message": "direct_message", "coffee": "meeting", "lunch": "meeting", "visit": "meeting",
    "met": "meeting",
    "anruf": "call", "telefonat": "call", "treffen": "meeting", "besuch": "meeting", "kaffee": "meeting",
    "besprechung": "meeting", "nachricht": "direct_message", "videoanruf": "video_call", "kauf": "purchase",
    "geschenk": "gift", "hilfe": "help", "appel": "call", "reunion": "meeting", "rencontre": "meeting",
    "achat": "purchase", "cadeau": "gift", "llamada": "call", "videollamada": "video_call", "compra": "purchase",
    "regalo": "gift", "ayuda": "help", "videocall": "video_call",
}  # fmt: skip
_DIRECTIONS = {
    "in": ("incoming", "inbound", "theirs", "them", "ein", "eingehend", "entrant", "entrante", "inkomend"),
    "out": ("outgoing", "outbound", "ours", "us", "we", "aus", "ausgehend", "sortant", "saliente", "uitgaand"),
    "mutual": ("both", "beide", "beides", "les deux", "ambos", "entrambi", "beiden"),
}
_DIRECTION_OF = {word: direction for direction, words in _DIRECTIONS.items() for word in (direction, *words)}
# What both do, so that a row need not say it; and where something of a kind is when no place is told.
_MUTUAL = {"meeting", "call", "video_call", "handshake", "attendance", "collaboration", "chat", "connect"}
_PLACES = {"email": "email", "call": "phone", "video_call": "video"}


def recognise(head: str) -> bool:
    return find_header(head, LAYOUT) is not None


def read(file: File, reading: Reading) -> Iterator[Row]:
    table = Table(file, LAYOUT)
    proved = dates.orders(record.cells.get("when", "") for record in table)
    zone = ZoneInfo(reading.time_zone)

    def column(field: str) -> int | None:
        return _column(table.header, field)

    with Seen() as seen:
        for record in table:
            if record.fault is not None:
                yield Row(record.line, record.fault)
                continue
            made = proposals.outcome(
                lambda: _outcome(record.cells, reading, zone, proved, seen),  # noqa: B023
                column=column,
            )
            yield Row(record.line, made, _shown(record))


def _outcome(
    cells: Mapping[str, str], reading: Reading, zone: ZoneInfo, proved: set[dates.Order], seen: Seen
) -> TouchpointRow:
    if not any(cells.values()):
        raise Passed("nothing stands in this row")
    facts = _facts(cells)
    facts["occurred_at"] = dates.moment(cells["when"], zone=zone, proved=proved)
    facts["source"], facts["source_id"] = NAME, _source_id(cells, seen)
    return proposals.touchpoint(facts, _people(cells), reading)


def _facts(cells: Mapping[str, str]) -> dict[str, Any]:
    """What a row says beside when and with whom; what it leaves out is left out."""
    kind = _kind(cells["kind"])
    told = {
        "kind": kind,
        "channel": _channel(cells.get("where", ""), kind),
        "direction": _direction(cells.get("direction", ""), kind),
        "note": _note(cells.get("note", "")),
        "act": cells.get("act", "").casefold(),
        "about": cells.get("about", "").casefold(),
        "topics": [clean(topic) for topic in islice(_divided(cells.get("topics", "")), _TOPICS + 1)],
        **{name: _number(cells.get(name, ""), name) for name in ("minutes", "depth", "audience")},
    }
    return {name: value for name, value in told.items() if value not in ("", None, [])}


def _note(written: str) -> str:
    return mended(written) if len(written) <= _MENDED else written


def _divided(cell: str) -> Iterator[str]:
    """What stands between the `;`, `|` and new lines of a cell."""
    return (one for one in re.split(r"[;|\n]", cell) if one.strip())


def _kind(written: str) -> str:
    if not written:
        raise Invalid("this field is required", field="kind")
    word = folded(written).replace(" ", "_")
    return _KINDS.get(word, word)


def _channel(written: str, kind: str) -> str:
    if not written and kind in _PLACES:
        return _PLACES[kind]
    if not written:
        raise Invalid("say where it was: the name of a place, such as chamber or linkedin", field="channel")
    if re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,59}", written):
        return written
    if not (named := slug(written)):
        raise Invalid("a place has a name with letters or digits", field="channel")
    return named


def _direction(written: str, kind: str) -> str:
    if not written and kind in _MUTUAL:
        return "mutual"
    if not written:
        raise Invalid("say whether it was in (theirs), out (ours) or mutual", field="direction")
    return _DIRECTION_OF.get(folded(written), written)


def _number(written: str, field: str) -> int | None:
    if not written:
        return None
    if not re.fullmatch(r"\d{1,9}", written, flags=re.ASCII):
        raise Invalid("this takes a whole number", field=field)
    return int(written)


def _people(cells: Mapping[str, str]) -> list[Person]:
    """Who it was with: several in `who` divided by `;`, `|` or a new line; or one, with what other columns say."""
    several = [told(one) for one in islice(_divided(cells.get("who", "")), _MOST_PEOPLE + 1)]
    if len(several) > _MOST_PEOPLE:
        raise Invalid(f"a row names at most {_MOST_PEOPLE:,} people", field="with")
    ways = [way for column in ("email", "phone", "profile") if (way := _way(cells, column))]
    if len(several) > 1:
        if ways:
            raise Invalid("an address or a number goes with one person, not with several", field="with")
        return [person([known] if known else [], name) for name, known in several]
    if not several and not ways:
        return []
    name, known = several[0] if several else (None, None)
    return [
        person(
            [known, *ways] if known else ways,
            name,
            organisation=clean(cells.get("organisation", "")) or None,
            role=clean(cells.get("role", "")) or None,
        )
    ]


def _way(cells: Mapping[str, str], column: str) -> IdentityGiven | None:
    if not (written := cells.get(column, "")):
        return None
    if column != "profile":
        return IdentityGiven(column, written)
    if known := identity(written):
        return known
    raise Invalid("a profile is written as platform:handle, or as its address", field="profile")


def _source_id(cells: Mapping[str, str], seen: Seen) -> str:
    """The row's own id; else its content, and which of the equal rows it is."""
    if cells.get("id"):
        return cells["id"]
    content = content_id(*(f"{name}={value}" for name, value in sorted(cells.items()) if value))
    nth = seen.times(content)
    return content if nth == 1 else f"{content}/{nth}"


def _column(header: Header, field: str) -> int | None:
    """The column a field of the touchpoint stands in."""
    if field.startswith("with["):
        way = field.rpartition(".")[2]
        return header.column(way) or header.column("profile" if way == "handle" else "who") or header.column("who")
    return header.column(_COLUMNS.get(field, field))


def _shown(record: Record) -> str:
    cells = record.cells
    return shown(*(cells.get(name) for name in ("kind", "when", "who", "email", "where")))


FORMAT = Format(NAME, "Table of touchpoints (our own CSV)", recognise, nobody, read)
