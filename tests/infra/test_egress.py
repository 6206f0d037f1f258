"""Receivers that stall, flood, lie and redirect; names that lead inside. Real sockets throughout."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psutil
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from domain.deliveries import Failure
from infra.egress import KEPT, Egress, Exchange, open_egress

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
SECONDS = 1.0


@pytest.fixture
async def egress() -> AsyncIterator[Egress]:
    async with open_egress(loopback=True) as found:
        yield found


class Server:
    """A receiver that speaks as `serve` does, and counts who came."""

    def __init__(self, serve: Serve) -> None:
        self.serve = serve
        self.hits = 0
        self.port = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.hits += 1
        try:
            await reader.readuntil(b"\r\n\r\n")
            await self.serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[Server]:
    found = Server(serve)
    server = await asyncio.start_server(found.handle, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    yield found
    server.close()


async def post(egress: Egress, server: Server, *, host: str = "127.0.0.1", seconds: float = SECONDS) -> Exchange:
    return await egress.post(f"http://{host}:{server.port}/", b"{}", {}, seconds=seconds)


async def stalls(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def trickles(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


async def resets(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    writer.transport.abort()


async def half_closes(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nxx")
    writer.write_eof()
    await writer.drain()


async def talks_nonsense(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
    await writer.drain()


async def sends_headers_without_end(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-More: and more\r\n" * 1000)
        await writer.drain()


async def sends_one_endless_header(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-More: ")
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


async def sends_a_gigabyte(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


async def sends_a_bomb(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb))
    writer.write(bomb)
    await writer.drain()


@pytest.mark.parametrize(
    ("serve", "failure"),
    [
        (stalls, "timeout"),
        (trickles, "timeout"),
        (resets, "connection_lost"),
        (half_closes, "connection_lost"),
        (talks_nonsense, "bad_answer"),
        (sends_headers_without_end, "bad_answer"),
        (sends_one_endless_header, "bad_answer"),
    ],
)
async def test_a_receiver_that_never_answers_rightly_ends_the_attempt_in_time(
    egress: Egress, serve: Serve, failure: Failure
):
    async with serving(serve) as server, asyncio.timeout(10):
        exchange = await post(egress, server)
    assert exchange.answer.failure == failure
    assert server.hits == 1


@pytest.mark.parametrize("serve", [sends_a_gigabyte, sends_a_bomb])
async def test_no_more_is_read_than_is_kept(egress: Egress, serve: Serve):
    async with serving(serve) as server:
        await post(egress, server, seconds=10)
        before = psutil.Process().memory_info().rss
        kept = [await post(egress, server, seconds=10) for _ in range(5)]
        grown = psutil.Process().memory_info().rss - before
    assert {one.answer.status for one in kept} == {200}
    assert all(len(one.body) <= KEPT for one in kept)
    assert grown < 5_000_000


async def test_a_redirect_is_not_followed(egress: Egress):
    async def inside(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with serving(inside) as hidden:

        async def redirects(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            where = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n" % hidden.port
            writer.write(where)
            await writer.drain()

        async with serving(redirects) as server:
            assert (await post(egress, server)).answer.status == 302
        assert hidden.hits == 0


class Names(AbstractResolver):
    """Answers with the next of some answers at each question, as a resolver an attacker owns may."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = self.answers.pop(0)
        return [
            ResolveResult(
                hostname=host, host=address, port=port, proto=0, flags=0,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
            )
            for address in found
        ]  # fmt: skip

    async def close(self) -> None:
        pass


async def test_a_name_that_leads_inside_the_second_time_is_not_dialled():
    async with (
        serving(stalls) as server,
        open_egress(resolver=Names(["8.8.8.8"], ["127.0.0.1"], ["::1"], ["::ffff:127.0.0.1"])) as egress,
    ):
        first = await post(egress, server, host="rebinding.example", seconds=0.3)
        assert first.answer.failure != "not_allowed"
        for _ in range(3):
            assert (await post(egress, server, host="rebinding.example")).answer.failure == "not_allowed"
        assert server.hits == 0


async def test_an_answer_with_one_inner_address_is_refused_as_a_whole():
    async with (
        serving(stalls) as server,
        open_egress(resolver=Names(["8.8.8.8", "127.0.0.1"], ["127.0.0.1", "8.8.8.8"])) as egress,
    ):
        for _ in range(2):
            assert (await post(egress, server, host="mixed.example")).answer.failure == "not_allowed"
        assert server.hits == 0


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "0.0.0.0", "127.1", "0x7f000001", "2130706433", "localhost", "[::1]", "[::ffff:127.0.0.1]", "[::]"],
)
async def test_no_form_of_this_machine_is_dialled_where_it_is_not_opened(host: str):
    async with serving(stalls) as server, open_egress() as egress:
        exchange = await post(egress, server, host=host)
        assert exchange.answer.failure in ("not_allowed", "bad_answer", "no_such_host", "resolver")
        assert server.hits == 0


async def test_a_name_nobody_has_is_a_fault_of_the_endpoint(egress: Egress):
    assert (await egress.post("https://nobody.invalid/", b"{}", {})).answer.failure == "no_such_host"


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch):
    async with serving(stalls) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        async with open_egress() as egress:
            await egress.post("http://nobody.invalid/", b"{}", {}, seconds=2)
        assert proxy.hits == 0
