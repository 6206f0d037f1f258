"""Each scheme as its sender signs: right, wrong, stale, from the future, malformed, missing; by rotated secrets."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from domain import signatures
from domain.errors import Invalid
from domain.signatures import Scheme, Signed, Untimely, Unverified

NOW = datetime(2026, 5, 6, 8, 15, tzinfo=UTC)
BODY = '{"name":"Zoë"}'.encode()
ADDRESS = "https://crm.example.com/v1/in/abc"
SECRET = "whsec_" + base64.b64encode(b"a secret of more than 24 bytes").decode()
OTHER = "whsec_" + base64.b64encode(b"another secret of so many bytes").decode()
Headers = dict[str, str]


def hexed(secret: str, said: bytes) -> str:
    return hmac.new(secret.encode(), said, hashlib.sha256).hexdigest()


def standard(secret: str, at: datetime) -> Headers:
    signed = Webhook(secret).sign("msg_1", at, BODY.decode())
    return {"webhook-id": "msg_1", "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signed}


def stripe(secret: str, at: datetime) -> Headers:
    stamp = int(at.timestamp())
    return {"stripe-signature": f"t={stamp},v1={hexed(secret, f'{stamp}.'.encode() + BODY)},v0=old"}


def calendly(secret: str, at: datetime) -> Headers:
    return {"calendly-webhook-signature": stripe(secret, at)["stripe-signature"]}


def github(secret: str, at: datetime) -> Headers:
    return {"x-hub-signature-256": "sha256=" + hexed(secret, BODY)}


def hubspot(secret: str, at: datetime) -> Headers:
    stamp = str(int(at.timestamp() * 1000))
    said = f"POST{ADDRESS}".encode() + BODY + stamp.encode()
    signed = base64.b64encode(hmac.new(secret.encode(), said, hashlib.sha256).digest()).decode()
    return {"x-hubspot-signature-v3": signed, "x-hubspot-request-timestamp": stamp}


def slack(secret: str, at: datetime) -> Headers:
    stamp = int(at.timestamp())
    signed = "v0=" + hexed(secret, f"v0:{stamp}:".encode() + BODY)
    return {"x-slack-signature": signed, "x-slack-request-timestamp": str(stamp)}


Signer = Callable[[str, datetime], Headers]
SIGNERS: list[tuple[Scheme, Signer]] = [
    ("standard", standard), ("stripe", stripe), ("stripe", calendly), ("github", github), ("hubspot", hubspot),
    ("slack", slack),
]  # fmt: skip
TIMED = [one for one in SIGNERS if one[0] != "github"]


def judge(scheme: Scheme, headers: Headers, *, secrets: tuple[str, ...] = (SECRET,), body: bytes = BODY) -> None:
    signatures.verify(Signed(body, headers, ADDRESS), scheme, secrets, now=NOW)


@pytest.mark.parametrize(("scheme", "signer"), SIGNERS)
def test_what_is_signed_well_is_taken(scheme: Scheme, signer: Signer):
    judge(scheme, signer(SECRET, NOW))
    judge(scheme, signer(SECRET, NOW), secrets=(OTHER, SECRET))
    for minutes in (-4, 4):
        judge(scheme, signer(SECRET, NOW + timedelta(minutes=minutes)))


@pytest.mark.parametrize(("scheme", "signer"), SIGNERS)
def test_another_secret_another_body_or_no_signature_is_refused_in_one_way(scheme: Scheme, signer: Signer):
    good = signer(SECRET, NOW)
    refusals = []
    for headers, body in ((signer(OTHER, NOW), BODY), (good, BODY + b" "), ({}, BODY), ({}, b"\xff")):
        with pytest.raises(Unverified) as refusal:
            judge(scheme, headers, body=body)
        refusals.append((type(refusal.value), refusal.value.reason, refusal.value.field))
    assert len(set(refusals)) == 1
    with pytest.raises(Unverified):
        judge(scheme, good, secrets=())


@pytest.mark.parametrize(("scheme", "signer"), SIGNERS)
@pytest.mark.parametrize(
    "spoilt", ["", "x", "v1,", ",,,", "t=,v1=", "=", "ÿ", "v1,not base64", "9" * 5_000, "1e9", "-1"]
)
def test_a_malformed_header_is_refused(scheme: Scheme, signer: Signer, spoilt: str):
    good = signer(SECRET, NOW)
    for name in good:
        with pytest.raises(Unverified):
            judge(scheme, good | {name: spoilt})


@pytest.mark.parametrize(("scheme", "signer"), TIMED)
@pytest.mark.parametrize("minutes", [-6, 6, -600_000])
def test_an_old_one_and_one_from_the_future_are_refused_by_their_time(scheme: Scheme, signer: Signer, minutes: int):
    with pytest.raises(Untimely):
        judge(scheme, signer(SECRET, NOW + timedelta(minutes=minutes)))
    with pytest.raises(Unverified) as refusal:
        judge(scheme, signer(OTHER, NOW + timedelta(minutes=minutes)))
    assert not isinstance(refusal.value, Untimely)


@pytest.mark.parametrize(("scheme", "signer"), TIMED)
def test_the_time_is_signed_too(scheme: Scheme, signer: Signer):
    old, new = signer(SECRET, NOW - timedelta(hours=1)), signer(SECRET, NOW)
    mixed = {name: value if "signature" in name else new[name] for name, value in old.items()}
    if scheme == "stripe":
        [(name, value)] = old.items()
        mixed = {name: value.replace(f"t={int((NOW - timedelta(hours=1)).timestamp())}", f"t={int(NOW.timestamp())}")}
    with pytest.raises(Unverified) as refusal:
        judge(scheme, mixed)
    assert not isinstance(refusal.value, Untimely)


def test_hubspot_signs_the_address_too():
    with pytest.raises(Unverified):
        signatures.verify(Signed(BODY, hubspot(SECRET, NOW), ADDRESS + "x"), "hubspot", (SECRET,), now=NOW)


def test_without_a_scheme_the_address_is_all():
    judge("none", {}, secrets=("",))


@pytest.mark.parametrize(
    ("scheme", "secret"),
    [("none", SECRET), ("slack", "short"), ("stripe", "ünicode secret of it"), ("standard", "whsec_QUJD")],
)
def test_a_secret_that_can_be_none_is_refused(scheme: Scheme, secret: str):
    with pytest.raises(Invalid):
        signatures.check_secret(scheme, secret)
    signatures.check_secret("standard", SECRET)
