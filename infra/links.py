"""The addresses of public pages: secret, and made anew from the tenant's key whenever one is to be shown."""

import hashlib
from base64 import urlsafe_b64encode
from uuid import UUID

from infra.tenants import Tenant


def token_of(tenant: Tenant, link_id: UUID) -> str:
    """What makes a page's address secret: 256 bits that only the tenant's key makes of the link's id."""
    return urlsafe_b64encode(tenant.keys.fingerprint(b"gathering link\0" + link_id.bytes)).decode().rstrip("=")


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
