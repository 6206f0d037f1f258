"""People as files name them: by an address, a number, a profile or a name."""

import re
from urllib.parse import urlsplit

from domain import identities
from domain.contacts import IdentityGiven
from domain.errors import Invalid
from domain.imports import Person, Reading
from domain.touchpoints import Reference
from infra.imports.formats.texts import clean

_WITH_NAME = re.compile(r"(?P<name>[^<>]*)<(?P<way>[^<>]+)>")
_PLATFORM_HANDLE = re.compile(r"(?P<platform>[a-z0-9][a-z0-9_.-]{0,39}):(?!//)(?P<handle>\S+)", re.I)
_PHONE = re.compile(r"\+?[\d\s().\-/]{6,30}(?:(?:ext|x)\.?\s*\d+)?", re.I)
_LONGEST = 1_500  # characters of what can be an address or a number
_SITES = {host: platform for platform, hosts in identities.HOSTS.items() for host in hosts} | {
    "twitter.com": "x",
    "x.com": "x",
}


def identity(way: str) -> IdentityGiven | None:
    """What is written as an e-mail address, a phone number, `platform:handle` or the address of a profile."""
    way = way.strip()
    if len(way) > _LONGEST:
        return None
    if way.lower().startswith(("http://", "https://", "www.")):
        return IdentityGiven(_site(way), way)
    if found := _PLATFORM_HANDLE.fullmatch(way):
        platform = found["platform"].lower()
        return IdentityGiven({"mailto": "email", "tel": "phone"}.get(platform, platform), found["handle"])
    if identities.EMAIL.fullmatch(way):
        return IdentityGiven("email", way)
    if _PHONE.fullmatch(way) and sum(map(str.isdigit, way)) >= 6:
        return IdentityGiven("phone", way)
    return None


def _site(address: str) -> str:
    """The platform of a profile's address: the site's own name."""
    try:
        host = urlsplit(address if "://" in address else f"https://{address}").netloc.casefold()
    except ValueError:
        host = ""
    host = host.removeprefix("www.")
    return _SITES.get(host) or next(iter(host.split(".")[-2:-1]), "web") or "web"


def told(text: str) -> tuple[str | None, IdentityGiven | None]:
    """The name and the identity in `Ana`, `ana@example.com` or `Ana <ana@example.com>`."""
    text = text.strip()
    if found := _WITH_NAME.fullmatch(text) if len(text) <= 2 * _LONGEST else None:
        return clean(found["name"]).strip("\"'") or None, identity(found["way"])
    known = identity(text)
    return (None, known) if known else (clean(text) or None, None)


def reference(known: IdentityGiven | None, name: str | None, *, hint: str | None = None) -> Reference:
    """By the identity, else by the name alone."""
    match known:
        case None:
            return Reference(name=name, hint=hint)
        case IdentityGiven("email", address):
            return Reference(email=address, name=name)
        case IdentityGiven("phone", number):
            return Reference(phone=number, name=name)
        case IdentityGiven(platform, handle):
            return Reference(platform=platform, handle=handle, name=name)


def person(
    ways: list[IdentityGiven],
    name: str | None,
    *,
    organisation: str | None = None,
    role: str | None = None,
    signs: tuple[str, ...] = (),
) -> Person:
    """By the first identity; the others beside it. A name alone has its organisation as hint."""
    known = ways[0] if ways else None
    hint = organisation[:200] if organisation and not known else None
    return Person(reference(known, name, hint=hint), tuple(ways[1:]), organisation, role, signs)


def normalised(known: IdentityGiven, reading: Reading) -> tuple[str, str] | None:
    """The one spelling of an identity, or None where it is none."""
    try:
        return identities.normalise(known.platform, known.handle, country=country(reading))
    except Invalid:
        return None


def country(reading: Reading) -> str:
    """`ZZ` is no country: numbers are read with their code alone."""
    return reading.country or "ZZ"
