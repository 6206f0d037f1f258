"""A contact's name in one place: how it is written once, whatever form it was given in."""

import re
from urllib.parse import urlsplit

import phonenumbers

from domain.errors import Invalid

MAX_HANDLE = 320
EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
PLATFORM = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")


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


def email(address: str) -> str:
    """An e-mail address, trimmed and case-folded."""
    folded = address.strip().casefold()
    if len(folded) > MAX_HANDLE or not EMAIL.fullmatch(folded):
        raise Invalid("this is not an e-mail address", field="email")
    return folded


def phone(number: str, *, country: str) -> str:
    """A phone number in E.164."""
    try:
        parsed = phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException as error:
        raise Invalid("this is not a phone number", field="phone") from error
    if not phonenumbers.is_possible_number(parsed):
        raise Invalid(f"this is not a phone number of {country}, nor one with a country code", field="phone")
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _handle(platform: str, handle: str) -> str:
    """`@Ana`, `ana` and `https://x.com/Ana?lang=en` are one handle; a Mastodon profile URL becomes `ana@its.host`."""
    written = handle.strip()
    if "://" in written or written.startswith("www."):
        written = _from_url(platform, written)
    written = written.removeprefix("@").casefold()
    if not written or len(written) > MAX_HANDLE or any(character.isspace() for character in written):
        raise Invalid("a handle is 1 to 320 characters without spaces, or the address of a profile", field="handle")
    return written


def _from_url(platform: str, url: str) -> str:
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
    except ValueError as error:
        raise Invalid("this is not the address of a profile", field="handle") from error
    segments = [segment for segment in parts.path.split("/") if segment]
    if not segments:
        return parts.netloc
    if platform == "mastodon" and segments[-1].startswith("@"):
        return f"{segments[-1]}@{parts.netloc}"
    return segments[-1]
