"""A strength explained: in words, and what changed it since an earlier day."""

from collections.abc import Iterable
from datetime import date

from msgspec import Struct

from domain import strength
from domain.strength import Assessment
from domain.touches import STANDARD, Touch, Weights

ENOUGH_DAYS = 3
WORDS: dict[str, str] = {
    "intensity": "frequency",
    "reciprocity": "give-and-take",
    "depth": "depth",
    "breadth": "shared places",
    "tenure": "time",
    "advocacy": "referrals",
}


class Shift(Struct, frozen=True):
    """Points in tenths, so that they add: before + faded + came = after.

    `faded` is what silence alone would have made of it, `came` what the touches since then make of that.
    """

    before: int
    faded: int
    came: int

    @property
    def after(self) -> int:
        return self.before + self.difference

    @property
    def difference(self) -> int:
        return self.faded + self.came


class Change(Struct, frozen=True):
    """How the score and each of its parts came from one day to a later one. The parts' shifts add to the score's."""

    score: Shift
    parts: dict[str, Shift]
    stage_before: int


def change(
    earlier: Iterable[Touch], touches: Iterable[Touch], since: int, day: int, *, weights: Weights = STANDARD
) -> Change:
    """From the end of the UTC day `since`, when only the `earlier` touches had happened, to the end of `day`."""
    state = strength.fold(earlier, weights=weights)
    before = strength.evaluate(state, since, weights=weights)
    silent = strength.evaluate(state, day, weights=weights)
    after = strength.evaluate(strength.fold(touches, weights=weights), day, weights=weights)
    parts = {
        name: _shift(before.parts[name].points, silent.parts[name].points, after.parts[name].points)
        for name in strength.PARTS
    }
    return Change(_shift(before.score, silent.score, after.score), parts, before.stage)


def _shift(before: float, silent: float, after: float) -> Shift:
    was, alone, now = (round(10 * points) for points in (before, silent, after))
    return Shift(was, alone - was, now - alone)


def in_words(seen: Assessment) -> str:
    """As in "66.2 = 16.1 frequency + 13.9 give-and-take + 14.2 depth + ..."."""
    parts = " + ".join(f"{seen.parts[name].points:.1f} {word}" for name, word in WORDS.items())
    held = f"; held, as it {seen.held}" if seen.held else ""
    return f"{seen.score:.1f} = {parts}{held}"


def coverage_in_words(contact_days: int, contexts: int) -> str:
    """What the score rests on, as in "12 contact days, 6 contexts"."""
    early = "; too early to tell" if contact_days < ENOUGH_DAYS else ""
    return f"{_counted(contact_days, 'contact day')}, {_counted(contexts, 'context')}{early}"


def change_in_words(changed: Change, touchpoints: int, since: date) -> str:
    """As in "66.2, up 3.2 since 2026-05-01: +5.1 by 4 touchpoints, -1.9 faded; most of it depth +2.0"."""
    score = changed.score
    if not score.faded and not score.came:
        return f"{score.after / 10:.1f}, as on {since}"
    direction = "up" if score.difference > 0 else "down" if score.difference < 0 else "by"
    moved = f"{score.after / 10:.1f}, {direction} {abs(score.difference) / 10:.1f} since {since}"
    came = f"{score.came / 10:+.1f} by {_counted(touchpoints, 'touchpoint')}, " if touchpoints else ""
    name, most = max(changed.parts.items(), key=lambda each: abs(each[1].difference))
    told = f"; most of it {WORDS[name]} {most.difference / 10:+.1f}" if most.difference else ""
    return f"{moved}: {came}{score.faded / 10:+.1f} faded{told}"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
