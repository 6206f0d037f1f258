"""The published sets of contacts that are known by name, and how each is told as touchpoints.

They are other people's files with their own licences: they lie beside the project, never in it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from domain.errors import Invalid
from services.evaluation import files, sigcomm
from services.evaluation.files import Exchange, Found

Split = Literal["time", "events"]

COPENHAGEN = datetime(2014, 2, 3, tzinfo=UTC)  # the set tells no date: any Monday does
EMAIL = datetime(2003, 10, 1, tzinfo=UTC)
HYPERTEXT = datetime(2009, 6, 3, tzinfo=UTC)
WORKPLACE = datetime(2015, 2, 2, tzinfo=UTC)
SCAN = 20  # seconds that a row of SocioPatterns stands for
ONE_MEETING = 60  # seconds: rows less apart are one meeting


class Known(Struct, frozen=True):
    """A set by its name: where it lies, how it is split, how it is read, and the kinds it becomes."""

    path: str
    split: Split
    read: Callable[[Path], Found]
    told_as: str


def find(name: str, folder: Path) -> tuple[Known, Path]:
    """A known set and where it is. Raises Invalid where it is not there."""
    known = SETS[name]
    path = folder / known.path
    if not path.exists():
        raise Invalid(
            f"{name} is not there: {path} is missing. Its source is named in docs/evaluation.md; --sets is its folder."
        )
    return known, path


def emails(path: Path) -> Found:
    return files.read(path, ("from", "to", "time"), epoch=EMAIL, kind="email")


def messages(path: Path) -> Found:
    return files.read(path, ("from", "to", "time"))


def students(folder: Path) -> Found:
    """Texts and answered calls; a call that both phones logged is one."""
    texts = files.read(folder / "sms.csv", ("time", "from", "to"), epoch=COPENHAGEN, channel="sms")
    calls = files.read(folder / "calls.csv", ("time", "from", "to", "seconds"), epoch=COPENHAGEN, kind="call")
    once = list(_logged_once(calls.exchanges))
    return Found(
        sorted([*texts.exchanges, *once]),
        texts.rows + calls.rows,
        texts.repeats + calls.repeats + len(calls.exchanges) - len(once),
        texts.alone + calls.alone,
        calls.unspoken,
    )


def _logged_once(calls: Iterable[Exchange]) -> Iterator[Exchange]:
    """What begins while the same person still calls the same one is that call again."""
    ends: dict[tuple[str, str], float] = {}
    for call in calls:
        pair = call.sender, call.receiver
        if call.at >= ends.get(pair, 0):
            ends[pair] = call.at + 60 * (call.minutes or 0)
            yield call


def faces(epoch: datetime) -> Callable[[Path], Found]:
    """A row for each 20 seconds two people faced each other: rows less than a minute apart are one chat."""

    def read(path: Path) -> Found:
        scans = files.read(path, ("time", "from", "to"), epoch=epoch, kind="chat")
        return replace(scans, exchanges=sorted(meetings(scans.exchanges, apart=ONE_MEETING, lasts=SCAN, kind="chat")))

    return read


def meetings(scans: Iterable[Exchange], *, apart: float, lasts: float, kind: str) -> Iterator[Exchange]:
    """Sightings of two people, told by either, as meetings: those less than so many seconds apart are one."""
    seen: dict[tuple[str, str], set[float]] = defaultdict(set)
    for scan in scans:
        seen[min(scan.sender, scan.receiver), max(scan.sender, scan.receiver)].add(scan.at)
    for (one, other), times in seen.items():
        at = sorted(times)
        ends = [earlier for earlier, later in pairwise(at) if later - earlier >= apart] + [at[-1]]
        begins = [at[0]] + [later for earlier, later in pairwise(at) if later - earlier >= apart]
        for began, ended in zip(begins, ends, strict=True):
            minutes = int((ended - began + lasts) // 60)
            yield Exchange(began, one, other, kind, files.channel_of(kind), minutes)


SETS: dict[str, Known] = {
    "copenhagen": Known("copenhagen", "time", students, "texts and answered calls"),
    "email-Eu-core": Known("snap/email-Eu-core-temporal.txt.gz", "events", emails, "e-mails"),
    "CollegeMsg": Known("snap/CollegeMsg.txt.gz", "events", messages, "messages"),
    "InVS15": Known("sociopatterns/workplace_InVS15_tij.dat.gz", "time", faces(WORKPLACE), "talks face to face"),
    "SFHH": Known("sociopatterns/SFHH_tij.dat.gz", "events", faces(HYPERTEXT), "talks face to face"),
    "sigcomm2009": Known("sigcomm2009", "time", sigcomm.exchanges, "messages, and time together at a conference"),
}
