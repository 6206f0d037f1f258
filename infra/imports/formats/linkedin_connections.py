"""LinkedIn's Connections.csv: everybody one is connected with, and since when."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from domain.contacts import IdentityGiven
from domain.imports import ContactRow, Person, Reading, Row, Skipped, TouchpointRow
from infra.imports.formats import dates, proposals
from infra.imports.formats.delimited import Record, Table, find_header, layout
from infra.imports.formats.format import File, Format, nobody
from infra.imports.formats.people import normalised, person
from infra.imports.formats.proposals import Passed
from infra.imports.formats.seen import Seen
from infra.imports.formats.texts import clean, content_id, shown

NAME = "linkedin_connections"
# English, German, French, Spanish, Italian, Portuguese, Dutch.
LAYOUT = layout(
    [("first_name",), ("last_name",), ("connected_on",), ("company", "position")],
    first_name="First Name|Vorname|Prénom|Nombre|Nome|Primeiro nome|Voornaam",
    last_name="Last Name|Nachname|Nom|Nom de famille|Apellidos|Apellido|Cognome|Sobrenome|Apelido|Achternaam",
    url="URL|Profil-URL|URL du profil|URL del perfil|URL del profilo|URL do perfil|Profiel-URL|Profile URL",
    email="Email Address|E-mail Address|E-Mail-Adresse|Adresse e-mail|Adresse email|Dirección de correo electrónico|"
    "Correo electrónico|Indirizzo e-mail|Indirizzo email|Endereço de e-mail|E-mailadres",
    company="Company|Unternehmen|Firma|Entreprise|Société|Empresa|Azienda|Società|Bedrijf",
    position="Position|Poste|Puesto|Cargo|Posizione|Qualifica|Functie|Positie",
    connected_on="Connected On|Vernetzt am|Verbunden am|Kontakt seit|Connecté le|En relation depuis|Conectado el|"
    "Fecha de conexión|Collegato il|Collegato dal|Conectado em|Data de conexão|Verbonden op|Connectie sinds",
)
_FIELDS = {
    "occurred_at": "connected_on",
    "with[0].handle": "url",
    "with[0].email": "email",
    "with[0].name": "last_name",
}


def recognise(head: str) -> bool:
    return find_header(head, LAYOUT) is not None


def read(file: File, reading: Reading) -> Iterator[Row]:
    """A connection with its date is a touchpoint `connect`; one without is a contact alone."""
    table = Table(file, LAYOUT)
    proved = dates.orders(record.cells.get("connected_on", "") for record in table)
    zone = ZoneInfo(reading.time_zone)

    def column(field: str) -> int | None:
        return table.header.column(_FIELDS.get(field, field))

    with Seen() as seen:
        for record in table:
            yield Row(
                record.line,
                record.fault or proposals.outcome(lambda: _outcome(record, reading, zone, proved, seen), column=column),  # noqa: B023
                _shown(record),
            )


def _outcome(
    record: Record, reading: Reading, zone: ZoneInfo, proved: set[dates.Order], seen: Seen
) -> TouchpointRow | ContactRow | Skipped:
    cells = record.cells
    who = _person(cells, reading)
    since = cells["connected_on"]
    source_id = _source_id(who, since, reading)
    if seen.times(source_id) > 1:
        raise Passed("this person stands in this file already")
    if not since:
        return ContactRow(proposals.check_person(who, reading), NAME, source_id)
    facts = {
        "kind": "connect",
        "occurred_at": dates.moment(since, zone=zone, proved=proved),
        "channel": "linkedin",
        "direction": "mutual",
        "source": NAME,
        "source_id": source_id,
    }
    return proposals.touchpoint(facts, [who], reading)


def _person(cells: dict[str, str], reading: Reading) -> Person:
    """By the profile, else the e-mail address, else the name. An address that is none is a sign, no identity."""
    name = f"{clean(cells['first_name'])} {clean(cells['last_name'])}".strip() or None
    url, email = cells.get("url"), cells.get("email")
    if not (name or url or email):
        raise Passed("a member who shows no name")
    ways = [IdentityGiven("linkedin", url)] if url else []
    signs: tuple[str, ...] = ()
    if email:
        address = IdentityGiven("email", email)
        readable = normalised(address, reading) is not None
        ways += [address] if readable or not url else []
        signs = () if readable else ("email:unreadable",)
    organisation, role = clean(cells.get("company", "")) or None, clean(cells.get("position", "")) or None
    return person(ways, name, organisation=organisation, role=role, signs=signs)


def _source_id(who: Person, since: str, reading: Reading) -> str:
    """The profile's handle or the address; for a name alone, the name and the date."""
    reference = who.reference
    if reference.platform and reference.handle:
        known = normalised(IdentityGiven(reference.platform, reference.handle), reading)
    elif reference.email:
        known = normalised(IdentityGiven("email", reference.email), reading)
    else:
        known = None
    return f"{known[0]}:{known[1]}" if known else content_id(reference.name or "", reference.handle or "", since)


def _shown(record: Record) -> str:
    cells = record.cells
    name = f"{cells.get('first_name', '')} {cells.get('last_name', '')}"
    return shown(name, cells.get("company"), cells.get("connected_on"))


FORMAT = Format(NAME, "LinkedIn connections (Connections.csv)", recognise, nobody, read)
