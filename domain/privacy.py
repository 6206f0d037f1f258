"""Business or private: who of the people in a file may be recorded, by plain rules that each say their reason."""

import re
from collections.abc import Collection, Iterable, Iterator

from domain.imports import Person, Sort
from domain.letters import without_accents

# Where people have their private addresses; and names of such hosts that stand under many countries' endings.
FREEMAIL = frozenset(
    """
    126.com 163.com alice.it aol.com arcor.de att.net bellsouth.net bigpond.com bluewin.ch bol.com.br btinternet.com
    charter.net chello.nl comcast.net cox.net earthlink.net email.com email.de fastmail.com foxmail.com free.fr
    freenet.de googlemail.com gmail.com hey.com home.nl icloud.com ig.com.br inbox.com kpnmail.nl laposte.net
    libero.it list.ru mac.com mail.com mail.de mail.ru mailbox.org me.com msn.com naver.com neuf.fr ntlworld.com
    online.de optonline.net orange.fr pm.me planet.nl posteo.de proton.me protonmail.com qq.com rambler.ru
    rediffmail.com rocketmail.com sapo.pt sbcglobal.net seznam.cz sfr.fr shaw.ca sky.com t-online.de talktalk.net
    telenet.be telefonica.net terra.es tin.it tiscali.it tuta.com tutanota.com uol.com.br verizon.net virgilio.it
    virginmedia.com vodafone.de wanadoo.fr web.de wp.pl xs4all.nl yandex.ru ymail.com ziggo.nl
    """.split()
)
PRIVATE_ENTRY = "calendar:private"
FREEMAIL_NAMES = frozenset({"gmx", "hotmail", "live", "outlook", "yahoo", "yandex"})

_PRIVATE_CATEGORIES = frozenset(
    """
    family friends friend private personal familie freunde privat famille amis ami prive familia amigos privado
    famiglia amici privato familia vrienden
    """.split()
)
# Beginnings of words of places where one is a patient, a parent or a pupil.
_CARE = re.compile(
    r"(?<!\w)(?:clinic|hospital|dentist|dental|pediatr|paediatr|physician|medical|doctors?(?!\w)|surgery|therap|"
    r"psycholog|psychiat|hospice|"
    r"arzt|zahnarzt|kinderarzt|hausarzt|praxis|klinik|krankenhaus|hebamme|"
    r"medecin|cabinet medical|hopital|clinique|dentiste|sage-femme|medico|medica|ospedale|dentista|"
    r"school|kindergarten|daycare|nursery|preschool|schule|grundschule|kita(?!\w)|gymnasium|"
    r"ecole|creche|college|lycee|escuela|colegio|guarderia|scuola|asilo|escola|huisarts|tandarts|ziekenhuis)"
)


def sort_person(person: Person, *, own_names: Collection[str], own_domains: Collection[str]) -> tuple[Sort, str]:
    """The sort of a person of a file, and why. `own_names` are those of the business's people, as they are written.

    The first rule that holds:
    1. private: the file puts them among family or friends, or their calendar entry is marked private;
    2. business: a colleague, by an address of an own domain;
    3. business: known on LinkedIn;
    4. private: their organisation is where one is a patient, a parent or a pupil;
    5. private: an address of a free mail host, and the family name of one of our own people;
    6. business: the file names a company;
    7. business: an address of a domain that is no free mail host;
    8. unsure: everybody else.
    """
    for sign in person.signs:
        if reason := _private_sign(sign):
            return "private", reason
    domains = list(_domains(person))
    if any(domain in own_domains for domain in domains):
        return "business", "an address of your own domain"
    if "linkedin" in _platforms(person):
        return "business", "known on LinkedIn"
    if person.organisation and _CARE.search(_plain(person.organisation)):
        return "private", "a practice, a hospital or a school"
    family = _family_name(person.reference.name)
    if family and any(map(is_freemail, domains)) and family in map(_family_name, own_names):
        return "private", "a private address and your own family name"
    if person.organisation:
        return "business", "the file names a company"
    if any(not is_freemail(domain) for domain in domains):
        return "business", "an address of a company's domain"
    return "unsure", "a private address and no other sign" if domains else "no sign of business"


def private_entry(people: Iterable[Person]) -> str | None:
    """Why a row is not recorded, whoever it names: it is marked private itself."""
    return "marked private in the calendar" if any(PRIVATE_ENTRY in person.signs for person in people) else None


def is_freemail(domain: str) -> bool:
    return domain in FREEMAIL or domain.split(".")[0] in FREEMAIL_NAMES


def _private_sign(sign: str) -> str | None:
    kind, _, what = sign.partition(":")
    if kind == "category" and _plain(what).strip() in _PRIVATE_CATEGORIES:
        return f"in the category {what.strip()}"
    return "their calendar entry is private" if sign == PRIVATE_ENTRY else None


def _platforms(person: Person) -> set[str]:
    given = (person.reference.platform, *(way.platform for way in person.also))
    return {platform.casefold() for platform in given if platform}


def _domains(person: Person) -> Iterator[str]:
    addresses = [person.reference.email]
    if person.reference.platform == "email":
        addresses.append(person.reference.handle)
    addresses += [way.handle for way in person.also if way.platform == "email"]
    for address in addresses:
        if address and "@" in address:
            yield address.strip().casefold().rpartition("@")[2]


def _family_name(name: str | None) -> str | None:
    """The last word of a name, or what stands before its comma; None where there is only one word."""
    plain = _plain(name or "")
    words = plain.partition(",")[0].split()
    return words[-1] if words and (len(words) > 1 or "," in plain) else None


def _plain(text: str) -> str:
    return without_accents(text.casefold())
