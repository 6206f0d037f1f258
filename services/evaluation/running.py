"""One evaluation: a set through the road, cut by cut, then every forecast measured on what came after."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from msgspec import Struct

from domain.errors import Invalid
from infra.settings import Settings
from services.evaluation import cuts, forecasts, metrics, road, samples, sets
from services.evaluation.cuts import Cut, Plan
from services.evaluation.files import Exchange, Found
from services.evaluation.metrics import Measured
from services.evaluation.road import Road
from services.evaluation.samples import Sample


class Progress(Protocol):
    """What is told while it runs: how much of the road lies ahead, how much was gone, what is done now."""

    def begin(self, contacts: int) -> None: ...

    def told(self, contacts: int) -> None: ...

    def doing(self, what: str) -> None: ...


class Given(Struct, frozen=True):
    """A set to evaluate: its name, its contacts, how it is split, and the window in days where somebody said it."""

    name: str
    found: Found
    split: sets.Split
    days: float | None = None


class Row(Struct, frozen=True):
    """One line of the table. `split_auc` is the AUC where 70 % of the set are known and all the rest is foretold."""

    name: str
    kind: str
    figures: dict[str, Measured]
    split_auc: float | None
    coverage: float
    learned: str
    fitted: dict[str, float]


class Evaluated(Struct, frozen=True):
    """All that is measured of one set.

    `coverage` is the share of the pairs in touch in the window who were in touch before: nothing can rank the others.
    `ahead_by` is how far the outlook's AUC lies above that of the best single baseline, which is chosen knowing the
    test; `split_ahead_by` the same where 70 % are known.
    """

    dataset: str
    people: int
    pairs: int
    contacts: int
    left_out: dict[str, int]
    split: str
    days: float
    span_days: float
    cut_offs: int
    tested: int
    in_touch: float
    coverage: float
    best_single: str
    ahead_by: float
    split_best_single: str
    split_ahead_by: float
    forecasts: list[Row]


class Training(Struct, frozen=True):
    """The outlook's signs and the outcomes of one set's training part, for weights that several sets share."""

    signs: list[list[float]]
    came: list[float]


async def evaluate(configured: Settings, given: Given, progress: Progress) -> tuple[Evaluated, Training]:
    """Raises Invalid for too little, NotTold where the road refuses."""
    exchanges = given.found.exchanges
    plan = cuts.plan(exchanges, given.split, given.days)
    async with road.scratch(configured) as context:
        taken = await _gone(await road.opened(context, given.name), exchanges, plan, progress)
    training = [taken[cut] for cut in plan.training]
    test = [sample for cut in plan.test if (sample := taken[cut]).told]
    if not test:
        raise Invalid("in every window all pairs are alike: choose another by --days")
    progress.doing("fitting")
    learned = forecasts.learn(training, plan.days)
    split = _split_aucs(taken[plan.known_training], taken[plan.known_test])
    coverage = round(float(np.mean([sample.coverage for sample in test])), 4)
    before = [_telling([taken[cut] for cut in sample.cut.before()], training) for sample in test]
    rows = []
    for one in learned:
        progress.doing(f"measuring {one.name}")
        chances = [one.chances(*known) for known in zip(test, before, strict=True)]
        figures = metrics.measure(samples.lists(test, [one.scores(sample) for sample in test], chances))
        rows.append(Row(one.name, one.kind, figures, split.get(one.name), coverage, one.learned, one.fitted))
    return _told(given, plan, test, rows, coverage), _training(training, plan.days)


async def _gone(on_road: Road, exchanges: Sequence[Exchange], plan: Plan, progress: Progress) -> dict[Cut, Sample]:
    """The samples of all cut-offs. Each is read when nothing of what came after it had been told."""
    by_stop: dict[float, list[Cut]] = {}
    for cut in plan.all:
        by_stop.setdefault(cut.at, []).append(cut)
    times = samples.of_pairs(exchanges)
    progress.begin(len(cuts.between(exchanges, exchanges[0].at, max(by_stop))))
    taken: dict[Cut, Sample] = {}
    told_up_to = exchanges[0].at
    for stop in sorted(by_stop):
        await on_road.tell(cuts.between(exchanges, told_up_to, stop), progress.told)
        states, told_up_to = await on_road.states(), stop
        taken |= {cut: samples.take(cut, times, states, exchanges) for cut in by_stop[stop]}
    return taken


def _telling(before: list[Sample], training: list[Sample]) -> list[Sample]:
    """Where nobody was in touch in the last windows (a night, a holiday), the training part tells too."""
    came = np.concatenate([sample.came for sample in before])
    return before if 0 < came.sum() < len(came) else before + training


def _split_aucs(training: Sample, test: Sample) -> dict[str, float]:
    """As in the literature: 70 % are known and all the rest is foretold; learned on 40 % and what came up to 70 %."""
    if not training.told or not test.told:
        return {}
    learned = forecasts.learn([training], training.cut.days)
    return {one.name: round(metrics.auc(test.came, one.scores(test)), 4) for one in learned}


def _told(given: Given, plan: Plan, test: Sequence[Sample], rows: list[Row], coverage: float) -> Evaluated:
    exchanges, found = given.found.exchanges, given.found
    came = np.concatenate([sample.came for sample in test])
    single = [row for row in rows if row.kind == "baseline"]
    best, split_best = max(single, key=_auc), max(single, key=lambda row: row.split_auc or 0)
    return Evaluated(
        dataset=given.name,
        people=len({who for one in exchanges for who in (one.sender, one.receiver)}),
        pairs=len(samples.of_pairs(exchanges)),
        contacts=len(exchanges),
        left_out={"repeats": found.repeats, "with_oneself": found.alone, "not_spoken": found.unspoken},
        split=given.split,
        days=round(plan.days, 3),
        span_days=round((exchanges[-1].at - exchanges[0].at) / cuts.DAY, 2),
        cut_offs=len(test),
        tested=len(came),
        in_touch=round(float(came.mean()), 4),
        coverage=coverage,
        best_single=best.name,
        ahead_by=round(_auc(rows[0]) - _auc(best), 4),
        split_best_single=split_best.name,
        split_ahead_by=round((rows[0].split_auc or 0) - (split_best.split_auc or 0), 4),
        forecasts=rows,
    )


def _auc(row: Row) -> float:
    return row.figures["auc"].value or 0.0


def _training(training: Sequence[Sample], days: float) -> Training:
    signs = np.concatenate([samples.signs(sample, days) for sample in training])
    return Training(signs.tolist(), np.concatenate([sample.came for sample in training]).tolist())
