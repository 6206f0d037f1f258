"""What a benchmark tells: a figure beside its yardstick, both measured in turns, and what is aimed at."""

import statistics
from collections.abc import Awaitable, Callable, Iterable
from typing import Literal

from msgspec import Struct

Run = Callable[[], Awaitable[float]]


class Aim(Struct, frozen=True):
    """`at least` or `at most` so much; None where nothing is aimed at."""

    way: Literal[">=", "<="]
    much: float

    def met(self, value: float) -> bool:
        return value >= self.much if self.way == ">=" else value <= self.much


class Figure(Struct, frozen=True):
    """Medians of ours and of the yardstick in `unit`, and their ratio; without a yardstick the ratio is None."""

    what: str
    yardstick: str
    unit: str
    ours: float
    theirs: float | None = None
    aim: Aim | None = None

    @property
    def ratio(self) -> float | None:
        return self.ours / self.theirs if self.theirs else None

    @property
    def verdict(self) -> str:
        if self.aim is None:
            return ""
        return "met" if self.aim.met(self.ours if self.ratio is None else self.ratio) else "missed"


def at_least(much: float) -> Aim:
    return Aim(">=", much)


def at_most(much: float) -> Aim:
    return Aim("<=", much)


async def in_turns(rounds: int, **runs: Run) -> dict[str, float]:
    """Each of them once a round, so that what else the machine does meets all of them; the median of each."""
    told: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            told[name].append(await run())
    return {name: statistics.median(values) for name, values in told.items()}


def lines(figures: Iterable[Figure]) -> list[str]:
    """One table."""
    head = f"{'figure':<62}{'yardstick':<44}{'ours':>10}{'yardstick':>11} {'unit':<10}{'ratio':>8}{'aim':>9}"
    return [head, *map(_line, figures)]


def _line(one: Figure) -> str:
    theirs = "" if one.theirs is None else _number(one.theirs)
    ratio = "" if one.ratio is None else _number(one.ratio)
    aim = "" if one.aim is None else f"{one.aim.way} {one.aim.much:g}"
    row = f"{one.what:<62}{one.yardstick:<44}{_number(one.ours):>10}{theirs:>11} {one.unit:<10}{ratio:>8}{aim:>9}"
    return f"{row}  {one.verdict}".rstrip()


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def as_json(figures: Iterable[Figure]) -> list[dict[str, object]]:
    return [
        {
            "figure": one.what,
            "yardstick": one.yardstick,
            "unit": one.unit,
            "ours": one.ours,
            "theirs": one.theirs,
            "ratio": one.ratio,
            "aim": None if one.aim is None else f"{one.aim.way} {one.aim.much:g}",
            "verdict": one.verdict,
        }
        for one in figures
    ]
