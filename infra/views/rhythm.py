"""A relationship's rhythm as people read it."""

from msgspec import Struct

from domain import rhythm
from domain.rhythm import Basis, Course, Rhythm, Status


class RhythmView(Struct, frozen=True, kw_only=True):
    """`in_words` says it all, as in "usually every 2 weeks, now 39 days".

    `cadence_days` is the usual gap between days with contact: the tie's `own`, as the owner `told`, or the `stage`'s
    goal while there are fewer than three; null while nobody can tell, as `status` then is. `silent_days` leaves out
    the days the business was away. `still_alive` is the chance, 0 to 1, that it goes on; `trend` the last month
    against the last half year, where 1 is twice and -1 half as much.
    """

    status: Status | None
    in_words: str
    cadence_days: float | None
    basis: Basis | None
    silent_days: int
    still_alive: float
    trend: float
    course: Course
    contact_days: int


def told(known: Rhythm | None) -> RhythmView | None:
    if known is None:
        return None
    return RhythmView(
        status=known.status,
        in_words=rhythm.in_words(known),
        cadence_days=None if known.cadence is None else round(known.cadence, 1),
        basis=known.basis,
        silent_days=known.silence,
        still_alive=round(known.alive, 2),
        trend=round(known.trend, 2),
        course=known.course,
        contact_days=known.contact_days,
    )
