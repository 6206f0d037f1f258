"""What `rapport evaluate` does: named sets or a file, each through the road, the table printed and written."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console
from rich.progress import Progress

from domain.errors import Invalid
from infra.settings import Settings
from services.evaluation import checks, files, first_meetings, forecasts, printing, running, sets, sigcomm
from services.evaluation.first_meetings import FirstMeetings
from services.evaluation.running import Given, Training

CONFERENCE = "sigcomm2009"


class Asked(Struct, frozen=True, kw_only=True):
    """What was said on the command line. `columns` say that files are meant."""

    datasets: tuple[str, ...]
    folder: Path
    columns: str | None = None
    epoch: datetime | None = None
    kind: str = "email"
    split: sets.Split | None = None
    days: float | None = None
    limit: int | None = None
    json: Path | None = None


def read(asked: Asked) -> list[Given]:
    """All that is to be evaluated. Raises Invalid, with the line where it is one."""
    if asked.kind not in files.KINDS:
        raise Invalid(f"--kind: {asked.kind} is none of {', '.join(sorted(files.KINDS))}")
    if (asked.days is not None and not asked.days > 0) or (asked.limit is not None and asked.limit < 1):
        raise Invalid("--days and --limit are more than 0")
    if asked.json is not None and not asked.json.absolute().parent.is_dir():
        raise Invalid(f"--json: there is no folder {asked.json.absolute().parent}")
    return [_given(name, asked) for name in asked.datasets]


def _given(name: str, asked: Asked) -> Given:
    if asked.columns is not None:
        epoch = asked.epoch or files.UNIX
        epoch = epoch.replace(tzinfo=epoch.tzinfo or UTC)
        found = files.read(Path(name), files.columns_of(asked.columns), epoch=epoch, kind=asked.kind)
        given = Given(Path(name).name, found, "time")
    elif name in sets.SETS:
        known, path = sets.find(name, asked.folder)
        given = Given(name, known.read(path), known.split)
    else:
        raise Invalid(f"{name} is no set known by name ({', '.join(sets.SETS)}); of a file name its --columns")
    some = given.found.exchanges[: asked.limit]
    found = replace(given.found, exchanges=some)
    return replace(given, found=found, split=asked.split or given.split, days=asked.days)


def run(configured: Settings, asked: Asked, given: Sequence[Given]) -> int:
    """Raises Invalid where there is too little to measure."""
    return asyncio.run(_run(configured, asked, given))


async def _run(configured: Settings, asked: Asked, given: Sequence[Given]) -> int:
    told, training = [], []
    with printing.bars() as bars:
        for one in given:
            evaluated, learned = await running.evaluate(configured, one, printing.Bar(bars, one.name))
            told.append(evaluated)
            training.append(learned)
        meetings = (
            await _first_meetings(configured, asked, bars)
            if asked.columns is None and CONFERENCE in asked.datasets
            else None
        )
    structure = checks.structural(one.found.exchanges for one in given)
    report = printing.report(told, shared(training), structure, meetings)
    printing.show(Console(), report)
    if asked.json is not None:
        printing.write(report, asked.json)
    return 0


async def _first_meetings(configured: Settings, asked: Asked, bars: Progress) -> FirstMeetings:
    _, folder = sets.find(CONFERENCE, asked.folder)
    bar = printing.Bar(bars, "who meets first")
    return await first_meetings.measure(configured, sigcomm.read(folder), bar)


def shared(training: Sequence[Training]) -> dict[str, float] | None:
    """The weights fitted on the training parts of several sets together, each as heavy as the others."""
    if len(training) < 2:
        return None
    signs, came = [np.array(one.signs) for one in training], [np.array(one.came) for one in training]
    slopes, _ = forecasts.fit_together(signs, came)
    scores = np.concatenate([rows @ np.array(slopes) for rows in signs])
    weight = np.concatenate([np.full(len(one), 1 / len(one) / len(came)) for one in came])
    constant = forecasts.constant_for(scores, np.concatenate(came), weight)
    found = dict(zip(("constant", "rhythm", "silence", "memory"), (constant, *slopes), strict=True))
    return {name: round(value, 3) for name, value in found.items()}
