"""Keys and sealing: the master key wraps a tenant's key, that wraps a key for each person, that seals their fields.

AES-256-GCM throughout. What is sealed is bound to its tenant, stream and event. Erasing a person's key makes every
sealed field of theirs unreadable, in backups of the log too.
"""

import hashlib
import hmac
import os
import time
from collections.abc import Callable, Iterable, Mapping
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

NONCE = 12
KEY = 32
CACHED_SECONDS = 60
CACHED_KEYS = 100_000


class WrongKey(Exception):
    """The key is not the one this was sealed with. Is RAPPORT_MASTER_KEY that of this database?"""

    def __str__(self) -> str:
        return (self.__doc__ or "").strip()


class TenantKeys(Struct, frozen=True):
    """A tenant's key, and those derived from it: for fingerprints of items, digests of handles, marks of texts."""

    tenant_id: UUID
    key: bytes
    fingerprints: bytes
    handles: bytes
    marks: bytes

    def fingerprint(self, canonical: bytes) -> bytes:
        return hmac.digest(self.fingerprints, canonical, "sha256")

    def digest(self, platform: str, handle: str) -> bytes:
        """What stands for a handle in `identity`."""
        return hmac.digest(self.handles, f"{platform}\0{handle}".encode(), "sha256")

    def mark(self, words: str) -> str:
        """What stands for the words of a text: the same for the same words of this tenant, and of no other."""
        return hmac.digest(self.marks, words.encode(errors="surrogatepass"), "sha256")[:16].hex()


def new_key() -> bytes:
    return os.urandom(KEY)


def wrap(key: bytes, *, under: bytes, owner: UUID) -> bytes:
    return _encrypt(under, key, owner.bytes)


def unwrap(wrapped: bytes, *, under: bytes, owner: UUID) -> bytes:
    return _decrypt(under, wrapped, owner.bytes)


def tenant_keys(tenant_id: UUID, wrapped: bytes, *, master: bytes) -> TenantKeys:
    """Raises WrongKey when the master key is another."""
    key = unwrap(wrapped, under=master, owner=tenant_id)
    return TenantKeys(tenant_id, key, derive(key, b"fingerprints"), derive(key, b"handles"), derive(key, b"marks"))


def derive(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY, salt=None, info=purpose).derive(key)


def joint_key(tenant: TenantKeys, subject_keys: Mapping[UUID, bytes]) -> bytes:
    """The key of something several people share: gone with the first of their keys. With nobody, the tenant's own."""
    if len(subject_keys) == 1:
        return next(iter(subject_keys.values()))
    return derive(b"".join(subject_keys[who] for who in sorted(subject_keys)) or tenant.key, b"joint")


def seal(plain: bytes, *, key: bytes, tenant_id: UUID, stream: str, event_id: UUID) -> bytes:
    return _encrypt(key, plain, _bound_to(tenant_id, stream, event_id))


def unseal(sealed: bytes, *, key: bytes, tenant_id: UUID, stream: str, event_id: UUID) -> bytes:
    """Raises WrongKey when it was sealed with another key, or for another place."""
    return _decrypt(key, sealed, _bound_to(tenant_id, stream, event_id))


def _bound_to(tenant_id: UUID, stream: str, event_id: UUID) -> bytes:
    return hashlib.sha256(tenant_id.bytes + event_id.bytes + stream.encode()).digest()


def _encrypt(key: bytes, plain: bytes, bound: bytes) -> bytes:
    nonce = os.urandom(NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plain, bound)


def _decrypt(key: bytes, sealed: bytes, bound: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:NONCE], sealed[NONCE:], bound)
    except (InvalidTag, ValueError) as error:
        raise WrongKey from error


class KeyRing:
    """Unwrapped keys of people, kept for at most 60 seconds, so that an erased key is forgotten."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[tuple[UUID, UUID], tuple[float, bytes]] = {}

    def keep(self, tenant: TenantKeys, wrapped: Iterable[tuple[UUID, bytes]]) -> dict[UUID, bytes]:
        """Unwrap and keep."""
        until = self._clock() + CACHED_SECONDS
        if len(self._kept) > CACHED_KEYS:
            self._kept.clear()
        keys = {who: unwrap(key, under=tenant.key, owner=who) for who, key in wrapped}
        self._kept.update({(tenant.tenant_id, who): (until, key) for who, key in keys.items()})
        return keys

    def kept(self, tenant_id: UUID, subjects: Iterable[UUID]) -> dict[UUID, bytes]:
        """Those of the keys that are here and fresh."""
        now = self._clock()
        found = {}
        for who in subjects:
            until, key = self._kept.get((tenant_id, who), (0.0, b""))
            if until > now:
                found[who] = key
        return found
