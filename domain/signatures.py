"""Who sent this: the signature of a message as its scheme has it, over the bytes as they came.

Standard Webhooks; Stripe's `t=,v1=`, which Calendly has too; GitHub's `sha256=`; HubSpot's v3; Slack's v0. With `none`
the secret address is all there is.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

from msgspec import Struct

from domain.errors import Invalid, Refused

Scheme = Literal["standard", "stripe", "github", "hubspot", "slack", "none"]
TOLERANCE = timedelta(minutes=5)
LONGEST_HEADER = 4_000


class Unverified(Refused):
    """there is no such source, or the signature is missing, malformed, or not of the source's secret"""


class Untimely(Unverified):
    """the message was signed more than 5 minutes from now: is a clock wrong, or is it an old one sent again?"""


class Signed(Struct, frozen=True):
    """A message as it came in. Headers by their lower-case names; `address` is the one it was sent to, in full."""

    content: bytes
    headers: Mapping[str, str]
    address: str


def verify(signed: Signed, scheme: Scheme, secrets: Iterable[str], *, now: datetime) -> None:
    """Raises Unverified, the same for all that may be wrong; Untimely for what is signed well at another time."""
    judge = _SCHEMES[scheme]
    times = [judge(signed, secret) for secret in secrets]
    at = next((one for one in times if one is not None), None)
    if at is None:
        raise Unverified
    if at is not _ALWAYS and not now - TOLERANCE <= at <= now + TOLERANCE:
        raise Untimely


def apparent(headers: Mapping[str, str]) -> Scheme:
    """The scheme these headers look like: so that an unknown source costs the same work as a known one."""
    return next((scheme for name, scheme in _MARKS.items() if name in headers), "github")


def check_secret(scheme: Scheme, secret: str, *, field: str = "secret") -> None:
    """Raises Invalid for what cannot be a secret of this scheme."""
    if scheme == "none":
        raise Invalid("this scheme has no secret: the address itself is", field=field)
    if not secret.isascii() or not secret.isprintable() or len(secret) < 16:
        raise Invalid("a secret has 16 characters or more, all of them printable ASCII", field=field)
    if scheme == "standard" and len(_standard_key(secret)) < 24:
        raise Invalid("this takes whsec_ and 24 bytes or more in base64", field=field)


# Stands for a time where a scheme signs none.
_ALWAYS = datetime.min.replace(tzinfo=UTC)


def _standard(signed: Signed, secret: str) -> datetime | None:
    message_id, at = _header(signed, "webhook-id"), _seconds(_header(signed, "webhook-timestamp"))
    if at is None or not message_id:
        return None
    said = f"{message_id}.{int(at.timestamp())}.".encode() + signed.content
    expected = f"v1,{base64.b64encode(hmac.digest(_standard_key(secret), said, hashlib.sha256)).decode()}"
    given = _header(signed, "webhook-signature").split(" ")
    return at if _among(expected, given) else None


def _stripe(signed: Signed, secret: str) -> datetime | None:
    written = _header(signed, "stripe-signature") or _header(signed, "calendly-webhook-signature")
    parts = [part.strip().partition("=") for part in written.split(",")]
    stamp = next((value for name, _, value in parts if name == "t"), "")
    at = _seconds(stamp)
    if at is None:
        return None
    expected = _hex(secret, f"{stamp}.".encode() + signed.content)
    return at if _among(expected, [value for name, _, value in parts if name == "v1"]) else None


def _github(signed: Signed, secret: str) -> datetime | None:
    expected = f"sha256={_hex(secret, signed.content)}"
    return _ALWAYS if _among(expected, [_header(signed, "x-hub-signature-256")]) else None


def _hubspot(signed: Signed, secret: str) -> datetime | None:
    stamp = _header(signed, "x-hubspot-request-timestamp")
    at = _seconds(stamp[:-3])
    if at is None or not stamp.isdigit():
        return None
    said = b"POST" + signed.address.encode() + signed.content + stamp.encode()
    expected = base64.b64encode(hmac.digest(secret.encode(), said, hashlib.sha256)).decode()
    return at if _among(expected, [_header(signed, "x-hubspot-signature-v3")]) else None


def _slack(signed: Signed, secret: str) -> datetime | None:
    stamp = _header(signed, "x-slack-request-timestamp")
    at = _seconds(stamp)
    expected = f"v0={_hex(secret, f'v0:{stamp}:'.encode() + signed.content)}"
    return at if at is not None and _among(expected, [_header(signed, "x-slack-signature")]) else None


def _none(signed: Signed, secret: str) -> datetime | None:
    return _ALWAYS


_SCHEMES: Mapping[Scheme, Callable[[Signed, str], datetime | None]] = {
    "standard": _standard,
    "stripe": _stripe,
    "github": _github,
    "hubspot": _hubspot,
    "slack": _slack,
    "none": _none,
}


_MARKS: Mapping[str, Scheme] = {
    "webhook-signature": "standard",
    "stripe-signature": "stripe",
    "calendly-webhook-signature": "stripe",
    "x-hubspot-signature-v3": "hubspot",
    "x-slack-signature": "slack",
}


def _header(signed: Signed, name: str) -> str:
    written = signed.headers.get(name, "")
    return written if len(written) <= LONGEST_HEADER else ""


def _seconds(stamp: str) -> datetime | None:
    """A time in whole seconds since 1970, as all schemes write it."""
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 11):
        return None
    return datetime.fromtimestamp(int(stamp), UTC)


def _hex(secret: str, said: bytes) -> str:
    return hmac.digest(secret.encode(), said, hashlib.sha256).hex()


def _among(expected: str, given: Iterable[str]) -> bool:
    """Whether one of these is it; each is compared to its end, in the same time whether right or wrong."""
    judged = [hmac.compare_digest(expected.encode(), one.encode()) for one in given]
    return any(judged)


def _standard_key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix("whsec_") + "==", validate=False)
    except binascii.Error:
        return b""
