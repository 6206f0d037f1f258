"""HTTP to addresses other people chose: to the public internet only, checked where the connection is made.

A name may resolve to anything, and to something else a second later; so each address is looked at when it is dialled.
Redirects are not followed, nothing is decompressed, no proxy or cookie is taken from anywhere, and no more of an answer
is read than is kept.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_address

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.typedefs import StrOrURL
from msgspec import Struct
from yarl import URL

from domain.addresses import may_dial
from domain.deliveries import ATTEMPT, Answer, Failure

KEPT = 16_384
LONGEST_HEADER = 8_190


class NotAllowed(OSError):
    """A name leads to an address that is not in the public internet."""


class Exchange(Struct, frozen=True):
    """What came back, or why nothing did; the first of the body, and how long it all took."""

    answer: Answer
    body: bytes
    milliseconds: int


class _Resolver(AbstractResolver):
    """Another resolver, guarded: an answer with one inner address among others is refused as a whole."""

    def __init__(self, inner: AbstractResolver, *, loopback: bool) -> None:
        self._inner = inner
        self._loopback = loopback

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if not all(may_dial(ip_address(one["host"].partition("%")[0]), loopback=self._loopback) for one in found):
            raise NotAllowed(host)
        return found

    async def close(self) -> None:
        await self._inner.close()


class Egress:
    """A client of its own kind; open it with `open_egress`."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def post(
        self, url: str, content: bytes, headers: Mapping[str, str], *, seconds: float = ATTEMPT.total_seconds()
    ) -> Exchange:
        """One POST. Never raises for what the other side does or is."""
        return await self._exchange("POST", url, content, headers, seconds=seconds, kept=KEPT)

    async def get(
        self, url: str, headers: Mapping[str, str], *, kept: int, seconds: float = ATTEMPT.total_seconds()
    ) -> Exchange:
        """One GET, of whose answer so many bytes are read. Never raises for what the other side does or is."""
        return await self._exchange("GET", url, None, headers, seconds=seconds, kept=kept)

    async def _exchange(
        self, method: str, url: str, content: bytes | None, headers: Mapping[str, str], *, seconds: float, kept: int
    ) -> Exchange:
        began = time.perf_counter()
        answer, body = await self._asked(method, URL(url, encoded=True), content, headers, seconds, kept)
        return Exchange(answer, body, round((time.perf_counter() - began) * 1000))

    async def _asked(
        self, method: str, url: StrOrURL, content: bytes | None, headers: Mapping[str, str], seconds: float, kept: int
    ) -> tuple[Answer, bytes]:
        body = bytearray()
        try:
            async with (
                asyncio.timeout(seconds),
                self._session.request(method, url, data=content, headers=headers, allow_redirects=False) as response,
            ):
                while len(body) < kept and (piece := await response.content.read(kept - len(body))):
                    body += piece
                answer = Answer(response.status, retry_after=response.headers.get("Retry-After"))
                response.close()
                return answer, bytes(body)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return Answer(failure=_failure(error)), bytes(body)


def _failure(error: Exception) -> Failure:
    """Why there is no whole answer."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    match cause:
        case NotAllowed():
            return "not_allowed"
        case TimeoutError():
            return "timeout"
        case socket.gaierror(errno=socket.EAI_AGAIN | socket.EAI_FAIL | socket.EAI_SYSTEM):
            return "resolver"
        case socket.gaierror():
            return "no_such_host"
        case ssl.SSLError() | ssl.CertificateError() | aiohttp.ClientSSLError():
            return "tls"
        case ConnectionRefusedError():
            return "connection_refused"
        case aiohttp.ClientResponseError() | ValueError() | aiohttp.InvalidURL():
            return "bad_answer"
        case _:
            return "tls" if isinstance(error, aiohttp.ClientSSLError) else "connection_lost"


@asynccontextmanager
async def open_egress(*, loopback: bool = False, resolver: AbstractResolver | None = None) -> AsyncIterator[Egress]:
    """A client that dials public addresses only; with `loopback`, this machine too. Each POST has a connection of its
    own, so that what was checked is what is spoken to. Names are looked up by the system, or by `resolver`."""

    def dial(address: aiohttp.connector.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, place = address
        if not may_dial(ip_address(str(place[0]).partition("%")[0]), loopback=loopback):
            raise NotAllowed(str(place[0]))
        return socket.socket(family, kind, protocol)

    connector = aiohttp.TCPConnector(
        resolver=_Resolver(resolver or aiohttp.ThreadedResolver(), loopback=loopback),
        socket_factory=dial,
        use_dns_cache=False,
        force_close=True,
        limit=0,
    )
    session = aiohttp.ClientSession(
        connector=connector,
        trust_env=False,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        max_line_size=LONGEST_HEADER,
        max_field_size=LONGEST_HEADER,
        read_bufsize=KEPT,
    )
    async with session:
        yield Egress(session)
