"""LinkedIn's messages.csv: each message of each conversation. The text is looked at in passing and not kept."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from domain.contacts import IdentityGiven
from domain.errors import Invalid
from domain.identities import normalise
from domain.imports import OwnerCandidate, Reading, Row, TouchpointRow
from infra.imports.formats import dates, messages, proposals
from infra.imports.formats.delimited import Record, Table, find_header, layout
from infra.imports.formats.format import File, Format
from infra.imports.formats.messages import Named
from infra.imports.formats.proposals import Passed, is_us
from infra.imports.formats.seen import Seen
from infra.imports.formats.texts import clean, content_id, folded, mended, shown

NAME = "linkedin_messages"
# English, German, French, Spanish, Italian, Portuguese, Dutch.
LAYOUT = layout(
    [("conversation",), ("sender",), ("sender_url",), ("date",)],
    conversation="CONVERSATION ID|Konversations-ID|Unterhaltungs-ID|ID de conversation|ID de la conversation|"
    "ID de conversación|ID de la conversación|ID conversazione|ID della conversazione|ID da conversa|Gespreks-ID",
    title="CONVERSATION TITLE|Konversationstitel|Titre de la conversation|Título de la conversación|"
    "Titolo della conversazione|Título da conversa|Gesprekstitel",
    sender="FROM|Von|De|Da|Van|Absender|Expéditeur|Remitente|Mittente|Remetente|Afzender",
    sender_url="SENDER PROFILE URL|Profil-URL des Absenders|URL du profil de l'expéditeur|URL del perfil del remitente|"
    "URL del profilo del mittente|URL do perfil do remetente|Profiel-URL van afzender",
    recipients="TO|An|À|Para|A|Aan|Empfänger|Destinataire|Destinatario|Destinatário|Ontvanger",
    recipient_urls="RECIPIENT PROFILE URLS|Profil-URLs der Empfänger|URL des profils des destinataires|"
    "URL de los perfiles de los destinatarios|URL dei profili dei destinatari|URLs dos perfis dos destinatários|"
    "Profiel-URL's van ontvangers",
    date="DATE|Datum|Fecha|Data",
    subject="SUBJECT|Betreff|Objet|Asunto|Oggetto|Assunto|Onderwerp",
    content="CONTENT|Inhalt|Contenu|Contenido|Contenuto|Conteúdo|Inhoud",
    folder="FOLDER|Ordner|Dossier|Carpeta|Cartella|Pasta|Map",
    draft="IS MESSAGE DRAFT|Ist Entwurf|Est un brouillon|Es borrador|È una bozza|É rascunho|Is concept",
)
_FIELDS = {
    "occurred_at": "date",
    "own": "sender_url",
    "with[0].handle": "sender_url",
    "with[0].name": "sender",
}
_YES = frozenset({"yes", "true", "1", "ja", "oui", "si", "sim"})
_SPAM = frozenset({"spam", "junk"})
_ADVERTISEMENT = re.compile(r"<spinmail|%firstname%|%%?first_?name%%?", re.I)
_NAMES = 20_000
_LONGEST = (200, 400)  # characters of a name and of a profile's address that are remembered
_MOST_RECIPIENTS = 1_000
_UTC = ZoneInfo("UTC")


class _Message(NamedTuple):
    sender: Named
    recipients: list[Named]
    unnamed: bool  # somebody of them has no profile in the file
    at: datetime
    text: str


def recognise(head: str) -> bool:
    return find_header(head, LAYOUT) is not None


def owners(file: File) -> list[OwnerCandidate]:
    """The senders, most messages first: in one's own export that is oneself, as one takes part in everything."""
    rows: Counter[str] = Counter()
    names: dict[str, str] = {}
    for record in Table(file, LAYOUT):
        if url := record.cells.get("sender_url"):
            try:
                _, handle = normalise("linkedin", url, country="ZZ")
            except Invalid:
                continue
            if handle in rows or len(rows) < _NAMES:
                rows[handle] += 1
                names.setdefault(handle, clean(record.cells["sender"][: _LONGEST[0]]))
    return [OwnerCandidate("linkedin", handle, names[handle] or None, n) for handle, n in rows.most_common(10)]


def read(file: File, reading: Reading) -> Iterator[Row]:
    """A message of ours is outbound, one to us inbound; drafts, spam and advertisements are skipped."""
    table = Table(file, LAYOUT)
    profiles = _profiles(table) if "recipient_urls" not in table.header.places else {}

    def column(field: str) -> int | None:
        out = field.startswith("with[") and not field.startswith("with[0]")
        return table.header.column(_FIELDS.get(field, "recipient_urls" if out else field))

    with Seen() as seen:
        for record in table:
            if record.fault is None:
                _tell(record, reading, profiles, seen)
        seen.find_bulk()
        for record in table:
            made = record.fault or proposals.outcome(
                lambda: _outcome(record.cells, reading, profiles, seen),  # noqa: B023
                column=column,
            )
            yield Row(record.line, made, _shown(record))


def _tell(record: Record, reading: Reading, profiles: Mapping[str, str], seen: Seen) -> None:
    try:
        message = _message(record.cells, profiles)
    except (Passed, Invalid):
        return
    messages.tell(message.sender[0], [who for who, _ in message.recipients], message.at, message.text, reading, seen)


def _outcome(cells: Mapping[str, str], reading: Reading, profiles: Mapping[str, str], seen: Seen) -> TouchpointRow:
    message = _message(cells, profiles)
    if not any(platform == "linkedin" for platform, _ in reading.own):
        raise Invalid("say first which LinkedIn profile is yours", field="own")
    if message.unnamed and is_us(message.sender[0], reading):
        raise Invalid("there is no profile of whom it went to", field="recipients")
    identity = (cells["conversation"], cells["date"], cells["sender_url"], cells.get("recipient_urls", ""))
    source_id = content_id(*identity, cells.get("recipients", ""), cells.get("subject", ""), cells.get("content", ""))
    if seen.times(source_id) > 1:
        raise Passed("this message stands in this file already")
    facts = {
        "kind": "direct_message",
        "occurred_at": message.at,
        "channel": "linkedin",
        "source": NAME,
        "source_id": source_id,
    }
    # Where a file does not say who received, it is ours: one's export holds one's own conversations.
    return messages.touchpoint(
        message.sender, message.recipients, facts, message.text, reading, seen, reaches_us=not message.recipients
    )


def _message(cells: Mapping[str, str], profiles: Mapping[str, str]) -> _Message:
    """Raises Passed for what is none of ours to keep, Invalid for what is not understood."""
    if folded(cells.get("draft", "")) in _YES or folded(cells.get("folder", "")) in ("draft", "drafts", "entwurfe"):
        raise Passed("a draft")
    if folded(cells.get("folder", "")) in _SPAM:
        raise Passed("it stands in the folder for spam")
    content = cells.get("content", "")
    if _ADVERTISEMENT.search(content[:2_000]) or folded(cells.get("title", "")[:100]).startswith("sponsored"):
        raise Passed("an advertisement: a sponsored message or its template")
    if not cells["sender_url"]:
        raise Invalid("there is no profile of the sender", field="sender_url")
    sender = IdentityGiven("linkedin", cells["sender_url"]), clean(cells["sender"]) or None
    at = dates.moment(cells["date"], zone=_UTC, proved=set())
    text = f"{cells.get('subject', '')}\n{mended(content[:65_536])}"
    recipients = _recipients(cells, profiles)
    return _Message(
        sender, [(way, name) for way, name in recipients if way], not all(way for way, _ in recipients), at, text
    )


def _recipients(cells: Mapping[str, str], profiles: Mapping[str, str]) -> list[tuple[IdentityGiven | None, str | None]]:
    """By their profiles; in a file without them, by the profiles of senders of these names, where there is one."""
    urls = [url for url in re.split(r"[\s,;]+", cells.get("recipient_urls", "")) if url]
    told_names = [name for name in re.split(r"[;,]", cells.get("recipients", "")) if name.strip()]
    if max(len(urls), len(told_names)) > _MOST_RECIPIENTS:
        raise Invalid(f"a message goes to at most {_MOST_RECIPIENTS:,} people", field="recipients")
    names = [clean(name) for name in told_names]
    if urls:
        whole = [clean(cells.get("recipients", ""))] if len(urls) == 1 else names
        told = whole if len(whole) == len(urls) else [""] * len(urls)
        return [(IdentityGiven("linkedin", url), name or None) for url, name in zip(urls, told, strict=True)]
    found = [(profiles.get(folded(name)), name) for name in names]
    return [(IdentityGiven("linkedin", url) if url else None, name) for url, name in found]


def _profiles(table: Table) -> dict[str, str]:
    """The profile of each sender by name, where a name has one only; an empty text where it has several."""
    found: dict[str, str] = {}
    for record in table:
        sender, url = record.cells.get("sender", ""), record.cells.get("sender_url", "")
        if len(sender) > _LONGEST[0] or len(url) > _LONGEST[1]:
            continue
        name = folded(sender)
        if name and url and (name in found or len(found) < _NAMES):
            found[name] = url if found.get(name, url) == url else ""
    return found


def _shown(record: Record) -> str:
    return shown(*(record.cells.get(name) for name in ("date", "sender", "recipients")))


FORMAT = Format(NAME, "LinkedIn messages (messages.csv)", recognise, owners, read)
