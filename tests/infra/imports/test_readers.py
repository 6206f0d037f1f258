"""Files are read by processes of their own, which know nothing, reach nobody, and are ended when they take too much."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import IO
from uuid import uuid4

import psutil
import pytest

from domain.errors import Invalid
from domain.imports import Reading, Row
from infra.imports import open_files, sandbox
from infra.imports import readers as readers_module
from infra.imports.open_files import OpenFiles, Source
from infra.imports.reader_messages import ROWS_AT_ONCE, Owners, Recognised, Rows, Task
from infra.imports.readers import Reader, ReaderFailed, Readers
from infra.imports.sandbox import Limits
from tests.infra.imports.bringing import meetings
from tests.infra.quiet import until

READING = Reading(frozenset(), "DE", "Europe/Berlin", datetime(2026, 3, 2, tzinfo=UTC))
AMPLE = Limits(600, 512 * 1024**2, 64 * 1024**2)


@pytest.fixture
async def readers() -> AsyncIterator[Readers]:
    started = Readers()
    yield started
    started.close()


@pytest.fixture
async def files() -> AsyncIterator[OpenFiles]:
    opened = OpenFiles()
    yield opened
    opened.close_down()


def stored(content: bytes) -> IO[bytes]:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - it is read elsewhere
    file.write(content)
    file.flush()
    return file


def source(content: bytes) -> Source:
    async def fetch() -> IO[bytes]:
        return stored(content)

    return Source(uuid4(), uuid4(), "the first pass", "table", len(content), fetch)


async def rows_of(files: OpenFiles, found: Source, *, after: int) -> list[Row]:
    """However many turns it takes."""
    while (told := await files.rows(found, READING, after=after)) is None:
        pass
    return told.rows


async def read_on(files: OpenFiles, found: Source) -> None:
    for after in range(ROWS_AT_ONCE, 30_000, ROWS_AT_ONCE):
        await rows_of(files, found, after=after)


async def read_to_the_end(reader: Reader) -> None:
    answer = await reader.answer()
    while isinstance(answer, Rows) and not answer.last:
        answer = await reader.answer()


def processes(readers: Readers) -> list[psutil.Process]:
    """The server of readers, and the readers there are just now."""
    assert readers.server is not None
    server = psutil.Process(readers.server)
    return [server, *server.children()]


def of_reader(readers: Readers) -> psutil.Process:
    [_, reader] = processes(readers)
    return reader


async def test_a_file_is_recognised_asked_whose_it_is_and_read(readers: Readers):
    content = meetings(2_500)
    recognising = await readers.begin(Task("recognise", AMPLE), stored(content))
    assert await recognising.answer() == Recognised("table")
    asking = await readers.begin(Task("owners", AMPLE, "table"), stored(content))
    assert await asking.answer() == Owners([])
    reader = await readers.begin(Task("read", AMPLE, "table", READING, after=10), stored(content))
    told = []
    for _ in range(3):
        answer = await reader.answer()
        assert isinstance(answer, Rows)
        told.append([row.line for row in answer.rows])
    assert [len(rows) for rows in told] == [ROWS_AT_ONCE, ROWS_AT_ONCE, 490]
    assert [line for rows in told for line in rows] == list(range(12, 2_502))


async def test_what_the_file_is_refused_for_is_told_as_the_reader_says_it(readers: Readers):
    reader = await readers.begin(Task("recognise", AMPLE), stored(b"%PDF-1.7 ..."))
    with pytest.raises(Invalid, match="this is a PDF") as refusal:
        await reader.answer()
    assert refusal.value.field == "file"


async def test_a_reader_has_no_setting_no_key_and_no_address(readers: Readers, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RAPPORT_MASTER_KEY", "very secret")
    monkeypatch.setenv("RAPPORT_DATABASE_URL", "postgresql://somewhere")
    reader = await readers.begin(Task("read", AMPLE, "table", READING), stored(meetings(5_000)))
    await reader.answer()
    reader.pause()
    server, process = processes(readers)
    for one in (server, process):
        assert set(one.environ()) <= {*sandbox.KEPT_VARIABLES, "PYTHONPATH"}
        assert one.net_connections() == [] or one is server
    folder = f"/proc/{process.pid}/fd"
    assert not any("socket" in os.readlink(f"{folder}/{held}") for held in os.listdir(folder))


@pytest.mark.skipif(not sandbox.filter_available(), reason="the way out is shut on Linux on x86-64 and ARM64")
@pytest.mark.parametrize(
    "act",
    [
        "socket.socket()",
        "socket.socket(socket.AF_UNIX)",
        "socket.socketpair()",
        "os.fork()",
        "subprocess.run(['true'])",
        "os.execv('/bin/true', ['true'])",
        "os.kill(os.getppid(), 0)",
        "signal.pthread_kill(threading.get_ident(), 0)",
        "resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (64, 64))",
    ],
)
def test_a_process_that_is_shut_in_reaches_nobody(act: str):
    program = f"""
import os, resource, signal, socket, subprocess, threading
from infra.imports import sandbox
sandbox.enter(sandbox.Limits(60, 10**9, 10**6))
try:
    {act}
except PermissionError:
    print('refused')
"""
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "refused\n"


def test_a_process_that_is_shut_in_fills_no_disk():
    program = """
import tempfile
from infra.imports import sandbox
sandbox.enter(sandbox.Limits(60, 10**9, 10**6))
try:
    with tempfile.TemporaryFile(buffering=0) as file:
        file.write(bytes(10**6)); file.write(b'.')
except OSError as error:
    print(error.errno)
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert told.stdout.strip() == "27", told.stderr  # EFBIG


async def test_a_reader_that_computes_too_long_is_ended_with_a_sentence(readers: Readers):
    reader = await readers.begin(
        Task("read", Limits(1, AMPLE.memory, AMPLE.disk), "table", READING, after=10**9), stored(meetings(200_000))
    )
    with pytest.raises(Invalid, match="took more than 1 seconds of computing, and was stopped"):
        await reader.answer()


async def test_a_reader_that_takes_too_much_memory_is_ended_with_a_sentence(readers: Readers):
    long = b"kind,when,who,where\n" + b'meeting,2025-01-01,"' + b"x" * 900_000 + b'",cafe\n'
    reader = await readers.begin(
        Task("read", Limits(60, 24 * 1024**2, AMPLE.disk), "table", READING), stored(long * 20)
    )
    with pytest.raises(Invalid, match="took more than 24 MB of memory, and was stopped"):
        await read_to_the_end(reader)


def test_how_much_a_reader_may_take_grows_with_its_file():
    assert readers_module.limits(0).seconds == 30
    assert readers_module.limits(250_000).seconds == 30
    assert readers_module.limits(500_000_000).seconds == 1_030
    assert readers_module.limits(0).memory == readers_module.limits(500_000_000).memory
    packed, plain = (
        Source(uuid4(), uuid4(), "pass", format, 1_000_000, lambda: None).limits  # type: ignore[arg-type,return-value]
        for format in ("archive", "table")
    )
    assert (packed.seconds, plain.seconds) == (50, 32)


async def test_a_reader_that_nobody_waits_for_computes_no_further(files: OpenFiles):
    found = source(meetings(30_000))
    await rows_of(files, found, after=0)
    files.pause(found.import_id)
    reader = of_reader(files.readers)
    await until(lambda: answered(reader.status() == psutil.STATUS_STOPPED))
    before = reader.cpu_times()
    await asyncio.sleep(0.2)
    assert reader.cpu_times() == before
    rows = await rows_of(files, found, after=ROWS_AT_ONCE)
    assert rows[0].line == ROWS_AT_ONCE + 2


async def answered(what: bool) -> bool:
    return what


async def test_what_was_told_last_is_told_again_without_reading_anew(files: OpenFiles):
    found = source(meetings(3_000))
    first = await rows_of(files, found, after=0)
    reader = of_reader(files.readers)
    assert await rows_of(files, found, after=0) is first
    assert of_reader(files.readers).pid == reader.pid
    assert await rows_of(files, found, after=1_000) is not first
    assert of_reader(files.readers).pid == reader.pid
    again = await rows_of(files, found, after=0)
    assert again == first
    assert of_reader(files.readers).pid != reader.pid


async def test_another_pass_reads_anew(files: OpenFiles):
    content = meetings(3_000)
    found = source(content)
    await rows_of(files, found, after=0)
    before = of_reader(files.readers)
    later = Source(found.tenant_id, found.import_id, "second", found.format, found.size, found.fetch)
    assert await rows_of(files, later, after=0)
    assert of_reader(files.readers).pid != before.pid


async def test_a_reader_that_was_killed_is_no_word_about_the_file(files: OpenFiles):
    found = source(meetings(30_000))
    await rows_of(files, found, after=0)
    of_reader(files.readers).kill()
    with pytest.raises(ReaderFailed, match="signal 9"):
        await read_on(files, found)
    assert await rows_of(files, found, after=29_000)


async def test_a_server_that_was_killed_is_started_again(files: OpenFiles):
    found = source(meetings(30_000))
    await rows_of(files, found, after=0)
    server, reader = processes(files.readers)
    server.kill()
    with pytest.raises(ReaderFailed):
        await read_on(files, found)
    await until(lambda: answered(not reader.is_running() or reader.status() == psutil.STATUS_ZOMBIE))
    assert await rows_of(files, found, after=29_000)
    assert processes(files.readers)[0].pid != server.pid


async def test_closed_nothing_is_left_of_them(readers: Readers):
    await readers.begin(Task("read", AMPLE, "table", READING), stored(meetings(30_000)))
    await until(lambda: answered(len(processes(readers)) == 2))
    there = processes(readers)
    readers.close()
    _, left = psutil.wait_procs(there, timeout=10)
    assert left == []


async def test_each_file_is_read_by_a_process_that_has_read_no_other(readers: Readers):
    pids = set()
    for _ in range(3):
        reader = await readers.begin(Task("read", AMPLE, "table", READING), stored(meetings(3_000)))
        await reader.answer()
        pids.add(of_reader(readers).pid)
        reader.close()
        await until(lambda: answered(len(processes(readers)) == 1))
    assert len(pids) == 3


async def test_what_is_said_at_once_is_bounded_by_its_weight_too(readers: Readers):
    note = b"x" * 9_000
    lines = b"".join(
        b'{"kind":"email","occurred_at":"2025-03-02T12:00:00Z","channel":"email","direction":"in","note":"%s%d",'
        b'"with":[{"email":"a@b.example"}]}\n' % (note, n)
        for n in range(800)
    )
    reader = await readers.begin(Task("read", AMPLE, "ndjson", READING), stored(lines))
    told = []
    answer = await reader.answer()
    while isinstance(answer, Rows):
        told.append(len(answer.rows))
        if answer.last:
            break
        answer = await reader.answer()
    assert sum(told) == 800
    assert max(told) <= 240


async def test_a_business_that_gives_files_up_keeps_none_of_them_open(files: OpenFiles):
    first = source(meetings(3_000))
    other = source(meetings(3_000))
    await rows_of(files, first, after=0)
    await rows_of(files, other, after=0)
    second = Source(first.tenant_id, uuid4(), "pass", "table", first.size, first.fetch)
    await rows_of(files, second, after=0)
    assert files.open == [other.import_id, second.import_id]


async def test_a_small_file_waits_for_no_large_one(files: OpenFiles, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(open_files, "SMALL", 100_000)
    large = [source(meetings(3_000)) for _ in range(open_files.MOST_OPEN)]
    for found in large:
        assert files.room == open_files.ANY
        await rows_of(files, found, after=0)
    assert files.room == 100_000
