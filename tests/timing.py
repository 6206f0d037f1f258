"""`--timing FILE`: what every test and every fixture costs, as CSV, and a table by file at the end.

CPU is of the whole tree of processes: pytest's own, those a test starts, and the embedded servers, dead ones too as far
as somebody waited for them. It is to be believed on a machine that others use; wall time is not.
"""

import csv
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

MOST_FIXTURES = 25
COLUMNS = ("what", "file", "name", "cpu", "wall", "worker")
PHASES = ("setup", "call", "teardown")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--timing", metavar="FILE", type=Path, help="write what tests and fixtures cost to FILE, as CSV")


def pytest_configure(config: pytest.Config) -> None:
    path: Path | None = config.getoption("timing")
    if path is None:
        return
    if "PYTEST_XDIST_WORKER" not in os.environ:
        path.write_text(",".join(COLUMNS) + "\n")
    config.pluginmanager.register(Timing(path), "rapport timing")


class Timing:
    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._worker = os.environ.get("PYTEST_XDIST_WORKER", "")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        with self._timed("setup", *_place(item.nodeid)):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        with self._timed("call", *_place(item.nodeid)):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        with self._timed("teardown", *_place(item.nodeid)):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
    ) -> Iterator[None]:
        """A fixture's own time: those it asks for are set up before. It is part of the setup of a test."""
        with self._timed("fixture", fixturedef.baseid, fixturedef.argname):
            return (yield)

    @contextmanager
    def _timed(self, what: str, file: str, name: str) -> Iterator[None]:
        cpu, wall = cpu_seconds(), time.monotonic()
        try:
            yield
        finally:
            spent = f"{cpu_seconds() - cpu:.3f}", f"{time.monotonic() - wall:.3f}"
            with self._path.open("a", newline="") as out:  # a line a write: the workers share the file
                csv.writer(out).writerow([what, file, name, *spent, self._worker])

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        with self._path.open(newline="") as lines:
            rows = list(csv.DictReader(lines))
        terminalreporter.write_sep("-", "CPU by file")
        for line in by_file(rows):
            terminalreporter.write_line(line)
        terminalreporter.write_sep("-", "CPU by fixture")
        for line in by_fixture(rows):
            terminalreporter.write_line(line)


def cpu_seconds() -> float:
    """Of this process and of all below it, with what those used that were waited for."""
    here = psutil.Process()
    spent = 0.0
    for process in (here, *here.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        spent += times.user + times.system + times.children_user + times.children_system
    return spent


def by_file(rows: list[dict[str, str]]) -> Iterator[str]:
    cpu: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(PHASES, 0.0))
    wall: dict[str, float] = defaultdict(float)
    tests: dict[str, int] = defaultdict(int)
    for row in rows:
        if row["what"] in PHASES:
            cpu[row["file"]][row["what"]] += float(row["cpu"])
            wall[row["file"]] += float(row["wall"])
            tests[row["file"]] += row["what"] == "setup"
    yield f"{'all':>8} {'setup':>8} {'call':>8} {'teardown':>8} {'wall':>8} {'tests':>6}"
    for file, phases in sorted(cpu.items(), key=lambda item: -sum(item[1].values())):
        spent = " ".join(f"{phases[phase]:8.2f}" for phase in PHASES)
        yield f"{sum(phases.values()):8.2f} {spent} {wall[file]:8.2f} {tests[file]:6}  {file}"


def by_fixture(rows: list[dict[str, str]]) -> Iterator[str]:
    cpu: dict[tuple[str, str], float] = defaultdict(float)
    times: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        if row["what"] == "fixture":
            cpu[row["file"], row["name"]] += float(row["cpu"])
            times[row["file"], row["name"]] += 1
    yield f"{'all':>8} {'times':>6} {'each':>8}"
    for key, spent in sorted(cpu.items(), key=lambda item: -item[1])[:MOST_FIXTURES]:
        yield f"{spent:8.2f} {times[key]:6} {spent / times[key]:8.3f}  {key[1]} ({key[0] or 'everywhere'})"


def _place(nodeid: str) -> tuple[str, str]:
    file, _, name = nodeid.partition("::")
    return file, name
