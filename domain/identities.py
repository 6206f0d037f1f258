"""A contact's name in one place: how it is written once, whatever form it was given in."""

import re
from urllib.parse import parse_qs, urlsplit

from domain.errors import Invalid
from domain.letters import composed

MAX_HANDLE = 320
MAX_WRITTEN = 2_000  # of an address or a handle as it is written, before it is looked at
EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
PLATFORM = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")
ADDRESS = re.compile(r"[a-z]+://|www\.|[\w-]+(\.[\w-]+)+/", flags=re.IGNORECASE)

# Where a platform's profiles live, beside hosts that bear its name; and what stands before the handle there.
HOSTS = {
    "bluesky": {"bsky.app"},
    "facebook": {"fb.com", "m.me"},
    "telegram": {"t.me"},
    "twitter": {"x.com", "mobile.x.com"},
    "whatsapp": {"wa.me"},
    "x": {"twitter.com", "mobile.twitter.com"},
    "youtube": {"youtu.be"},
}
BEFORE_HANDLES = frozenset("add c channel company in people profile pub school showcase u user users".split())


def normalise(platform: str, handle: str, *, country: str) -> tuple[str, str]:
    """The one spelling of an identity.

    `country` (ISO 3166 alpha-2) reads phone numbers without a country code. Raises Invalid with the part at fault.
    """
    platform = platform.strip().casefold()
    if not PLATFORM.fullmatch(platform):
        raise Invalid("a platform is 1 to 40 letters, digits, dots or dashes", field="platform")
    if platform == "email":
        return platform, email(handle)
    if platform == "phone":
        return platform, phone(handle, country=country)
    return platform, _handle(platform, handle)


def given(platform: str, handle: str, *, country: str) -> tuple[str, str]:
    """`normalise`, for a platform and a handle as a caller gives them: the field at fault is one of those two."""
    try:
        return normalise(platform, handle, country=country)
    except Invalid as error:
        raise Invalid(error.reason, field="platform" if error.field == "platform" else "handle") from None


def email(address: str) -> str:
    """An e-mail address, trimmed and case-folded."""
    folded = composed(address[:MAX_WRITTEN].strip()).casefold()
    if len(address) > MAX_WRITTEN or len(folded) > MAX_HANDLE or not EMAIL.fullmatch(folded):
        raise Invalid("this is not an e-mail address", field="email")
    return folded


def phone(number: str, *, country: str) -> str:
    """A phone number in E.164; behind one switchboard an extension tells people apart: `+15035550100;ext=12`."""
    import phonenumbers  # large, and most commands read no number

    try:
        parsed = phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException as error:
        raise Invalid("this is not a phone number", field="phone") from error
    if not phonenumbers.is_possible_number(parsed):
        raise Invalid(f"this is not a phone number of {country}, nor one with a country code", field="phone")
    plain = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return f"{plain};ext={parsed.extension}" if parsed.extension else plain


def _handle(platform: str, handle: str) -> str:
    """`@Ana`, `ana` and `https://x.com/Ana?lang=en` are one handle; a Mastodon profile URL becomes `ana@its.host`."""
    written = composed(handle[:MAX_WRITTEN].strip())
    if ADDRESS.match(written):
        written = _from_url(platform, written)
    written = written.removeprefix("@").casefold()
    too_long = len(handle) > MAX_WRITTEN or len(written) > MAX_HANDLE
    if not written or too_long or any(character.isspace() for character in written):
        raise Invalid("a handle is 1 to 320 characters without spaces, or the address of a profile", field="handle")
    return written


def _from_url(platform: str, url: str) -> str:
    """The handle in a profile's address; on a site that is not the platform's own, the address itself."""
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
    except ValueError as error:
        raise Invalid("this is not the address of a profile", field="handle") from error
    host = parts.netloc.casefold().removeprefix("www.")
    segments = [segment for segment in parts.path.split("/") if segment]
    named = next((segment for segment in segments if segment.startswith("@")), None)
    if platform == "mastodon" and named:
        return f"{named}@{host}"
    if not segments or not (platform in host.split(".") or host in HOSTS.get(platform, ())):
        return "/".join([host, *segments])
    if segments[0] == "profile.php":
        return "".join(parse_qs(parts.query).get("id", []))
    return named or (segments[1] if len(segments) > 1 and segments[0].casefold() in BEFORE_HANDLES else segments[0])
