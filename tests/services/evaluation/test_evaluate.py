"""`rapport evaluate` whole: files through the real road into a scratch database, measured, printed, dropped."""

import asyncio
import base64
import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from services import cli
from tests.conftest import Database, Servers
from tests.journeys.real_data import DATA, needs
from tests.road import MASTER_KEY

DAY = 86_400
SMALL = "time,from,to,kind"


@pytest.fixture
def evaluate(database: Database, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The command over the servers of the tests."""
    for name, value in {
        "DATABASE_URL": database.app_url,
        "ADMIN_DATABASE_URL": database.admin_url,
        "REDIS_URL": servers.redis_url,
        "MASTER_KEY": base64.b64encode(MASTER_KEY).decode(),
    }.items():
        monkeypatch.setenv(f"RAPPORT_{name}", value)
    return lambda *arguments: cli.call(["evaluate", *map(str, arguments)])


async def databases(admin_url: str) -> list[str]:
    connection = await asyncpg.connect(admin_url)
    rows = await connection.fetch("SELECT datname FROM pg_database WHERE datname LIKE 'rapport_evaluation_%'")
    await connection.close()
    return [row["datname"] for row in rows]


def lively(path: Path, people: list[str], *, days: int = 300, seed: int = 0) -> Path:
    """The first two know all others, each at a pace of its own; a third of the ties ends somewhere on the way.

    They hear of referrals from those they are most in touch with.
    """
    chance = random.Random(seed)
    rows = []
    for me in people[:2]:
        for number, other in enumerate(one for one in people if one != me):
            pace = 2 + 2 * number
            day, ends = chance.uniform(0, 60), chance.uniform(90, days) if number % 3 == 1 else days
            while day < ends:
                one, two = (me, other) if chance.random() < 0.5 else (other, me)
                rows.append((round(day * DAY), one, two, chance.choice(["email", "call"])))
                day += chance.expovariate(1 / pace)
        rows.append(((days - 50) * DAY, people[2], me, "referral"))
    path.write_text("".join(f"{at} {one} {two} {kind}\n" for at, one, two, kind in rows))
    return path


def told(path: Path) -> dict[str, dict[str, float | None]]:
    [one] = json.loads(path.read_bytes())["outlook"]
    return {row["name"]: {name: each["value"] for name, each in row["figures"].items()} for row in one["forecasts"]}


@pytest.mark.slow
async def test_two_people_and_whom_they_know(
    evaluate: Callable[..., int], tmp_path: Path, database: Database, capsys: pytest.CaptureFixture[str]
):
    file = lively(tmp_path / "mine.txt", [f"p{n}" for n in range(12)])
    out = tmp_path / "out.json"
    assert await in_thread(evaluate, file, "--columns", SMALL, "--days", "14", "--json", out) == 0
    figures = told(out)
    assert {
        "outlook", "outlook, as shipped", "outlook, fitted here", "rhythm alone", "recency", "frequency", "active days",
        "last 30 days", "decayed count", "count and silence",
    } == set(figures)  # fmt: skip
    for one in figures.values():
        assert set(one) == {"auc", "auc_in_list", "precision_at_5", "brier", "ece"}
        assert all(value is not None and 0 <= value <= 1 for value in one.values())
    assert figures["outlook"]["auc"] > 0.6
    report = json.loads(out.read_bytes())
    [evaluated] = report["outlook"]
    rows = len(set(file.read_text().splitlines()))
    assert (evaluated["contacts"], evaluated["people"]) == (rows, 12)
    assert 0 < evaluated["coverage"] <= 1
    assert report["strength"]["referrals"] == 2
    assert all(check["holds"] for check in report["strength"]["checks"])
    printed = capsys.readouterr().out
    assert "mine.txt: 12 people" in printed
    assert "count and silence" in printed
    assert await databases(database.admin_url) == []


async def in_thread(run: Callable[..., int], *arguments: object) -> int:
    """The command has a loop of its own."""
    return await asyncio.to_thread(run, *arguments)


async def test_what_is_too_little_or_wrong_is_said_and_leaves_nothing(
    evaluate: Callable[..., int], tmp_path: Path, database: Database, capsys: pytest.CaptureFixture[str]
):
    few = tmp_path / "few.txt"
    few.write_text("1 ann bob\n2 bob ann\n")
    bad = tmp_path / "bad.txt"
    bad.write_text("1 ann bob\nx ann bob\n")
    fine = lively(tmp_path / "fine.txt", ["p0", "p1", "p2", "p3"])
    for arguments, code, says in [
        ((few, "--columns", "time,from,to"), 1, "2 contacts between two people"),
        ((bad, "--columns", "time,from,to"), 1, "line 2: 'x' is no time"),
        ((fine, "--columns", "time,from"), 1, "to is missing"),
        ((fine,), 1, "is no set known by name"),
        ((fine, "--columns", SMALL, "--days", "400"), 1, "too long"),
        ((fine, "--columns", SMALL, "--days", "-1"), 1, "more than 0"),
        ((fine, "--columns", SMALL, "--kind", "pigeon"), 1, "pigeon"),
        ((fine, "--columns", SMALL, "--json", tmp_path / "no" / "out.json"), 1, "there is no folder"),
        (("copenhagen", "--sets", tmp_path), 1, "copenhagen is not there"),
        ((fine, "--columns", SMALL, "--split", "people"), 2, "people"),
        ((), 2, "Name a set"),
    ]:
        assert await in_thread(evaluate, *arguments) == code
        told = capsys.readouterr()
        assert says in (told.err + told.out).replace("\n", " ")
    assert await databases(database.admin_url) == []


@pytest.mark.slow
@needs("copenhagen")
async def test_the_first_days_of_copenhagen(evaluate: Callable[..., int], tmp_path: Path):
    """The first 2,500 texts and calls, so that it takes seconds."""
    out = tmp_path / "out.json"
    assert await in_thread(evaluate, "copenhagen", "--sets", DATA, "--limit", 2_500, "--json", out) == 0
    figures = told(out)
    assert figures["outlook"]["auc"] > 0.6
    assert figures["frequency"]["auc"] > 0.6


def test_without_what_it_needs_it_says_how_to_install_it(tmp_path: Path):
    program = (
        "import sys; sys.modules['sklearn'] = None; from services import cli;"
        f" sys.exit(cli.call(['evaluate', 'copenhagen', '--sets', {str(tmp_path)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "sklearn is missing: make setup installs it." in done.stderr


@pytest.mark.slow
async def test_given_up_half_way_it_leaves_nothing(evaluate: Callable[..., int], tmp_path: Path, database: Database):
    """As by Ctrl-C, once its database is there."""
    file = lively(tmp_path / "mine.txt", [f"p{n}" for n in range(30)])
    command = [sys.executable, "-m", "services.cli", "evaluate", str(file), "--columns", SMALL]
    running = await asyncio.create_subprocess_exec(
        *command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    )
    for _ in range(1_000):
        if await databases(database.admin_url):
            break
        await asyncio.sleep(0.05)
    running.send_signal(signal.SIGINT)
    assert await running.wait() == 130
    assert await databases(database.admin_url) == []
