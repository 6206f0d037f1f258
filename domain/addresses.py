"""Addresses a webhook may be sent to: the public internet, and nothing inside.

The lists are those of the IANA special-purpose registries (RFC 6890 and its updates) and the cloud providers' metadata
services. `ipaddress.is_global` alone is not enough: it takes translated and tunnelled forms of inner addresses,
multicast and some reserved blocks for public ones.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from domain.errors import Invalid

Address = IPv4Address | IPv6Address

PORTS = frozenset({443, 8443})
LONGEST_HOST = 253
LONGEST_URL = 2_000

_INNER_4 = [
    IPv4Network(block)
    for block in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
]  # fmt: skip
_PUBLIC_6 = IPv6Network("2000::/3")
_INNER_6 = [
    IPv6Network(block)
    for block in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
]  # fmt: skip
_NAT64 = IPv6Network("64:ff9b::/96")
_LOOPBACK_4 = IPv4Network("127.0.0.0/8")


def is_public(address: Address) -> bool:
    """Whether it lies in the public internet. Every IPv6 form that carries an IPv4 address inside is refused."""
    if isinstance(address, IPv4Address):
        return not any(address in block for block in _INNER_4)
    return address in _PUBLIC_6 and not any(address in block for block in _INNER_6)


def is_loopback(address: Address) -> bool:
    """127.0.0.0/8 and ::1 as such; no mapped form of them."""
    if isinstance(address, IPv4Address):
        return address in _LOOPBACK_4
    return address == IPv6Address("::1")


def may_dial(address: Address, *, loopback: bool) -> bool:
    return is_public(address) or (loopback and is_loopback(address))


def check_url(url: str, *, loopback: bool, field: str = "url") -> str:
    """The url itself when a webhook may be sent there; Invalid says why not.

    https only, on port 443 or 8443, to a name or a public address. With `loopback`, the machine itself is open too, by
    http and on any port. What a name resolves to is looked at when it is dialled.
    """
    if len(url) > LONGEST_URL:
        raise Invalid(f"an address has at most {LONGEST_URL} characters", field=field)
    if not url.isascii() or any(character <= " " or character in '\\^`{|}<>"\x7f' for character in url):
        raise Invalid("write the address in ASCII, a name in its xn-- form", field=field)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Invalid("this is no web address", field=field) from error
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme not in ("http", "https") or not host:
        raise Invalid("give an address that begins with https://", field=field)
    if "@" in parts.netloc:
        raise Invalid("an address carries no user name and no password", field=field)
    if parts.fragment:
        raise Invalid("an address has no part after #", field=field)
    if loopback and _names_loopback(host):
        return url
    _check_public(host, parts.scheme, port, field)
    return url


def _names_loopback(host: str) -> bool:
    address = _literal(host)
    return host == "localhost" if address is None else is_loopback(address)


def _check_public(host: str, scheme: str, port: int | None, field: str) -> None:
    if scheme != "https":
        raise Invalid("give an address that begins with https://", field=field)
    if port not in (None, *PORTS):
        raise Invalid("a webhook goes to port 443 or 8443", field=field)
    address = _literal(host)
    if address is not None:
        if not is_public(address):
            raise Invalid("this address is not in the public internet", field=field)
        return
    if not _is_name(host):
        raise Invalid("this is no name of a host in the public internet", field=field)


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_name(host: str) -> bool:
    """A dotted name whose last label is no number: 127.1, 0x7f000001 and 2130706433 are forms of addresses."""
    labels = host.split(".")
    plain = all(
        0 < len(label) <= 63 and label.strip("-") == label and label.replace("-", "").replace("_", "").isalnum()
        for label in labels
    )
    inner = labels[-1].lower() in ("localhost", "local", "internal", "lan", "home", "corp", "intranet", "onion", "arpa")
    return len(host) <= LONGEST_HOST and len(labels) > 1 and plain and not inner and not labels[-1][0].isdigit()
