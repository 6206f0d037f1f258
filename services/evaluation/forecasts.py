"""The outlook beside what is simpler: each learns on the training part, then ranks, and says chances, in the test."""

from collections.abc import Callable, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import betaln, expit, gammaln, logit
from sklearn.linear_model import LogisticRegression

from domain.errors import Invalid
from domain.outlook import FITTED, Fitted
from domain.rhythm import PRIORS, Priors
from services.evaluation import metrics, samples
from services.evaluation.metrics import Numbers
from services.evaluation.samples import Sample

HALF_LIVES = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0, 7.0, 14.0, 30.0, 90.0, 180.0)
RIDGE = 1e-4

Read = Callable[[Sample], Numbers]


class Forecast(Struct, frozen=True):
    """One way to foretell: a number for each pair, that ranks. `learned` is what it took from the training part.

    Chances are made of the numbers by Platt's regression before each cut-off, except where it is `shipped` as it is.
    """

    name: str
    kind: str
    scores: Read
    learned: str = ""
    fitted: dict[str, float] = {}
    shipped: bool = False

    def chances(self, sample: Sample, before: Sequence[Sample]) -> Numbers:
        """For a sample, after the windows `before` it that had ended."""
        scores = self.scores(sample)
        if self.shipped:
            return np.asarray(expit(scores))
        known = np.concatenate([self.scores(one) for one in before])[:, None]
        model = LogisticRegression(C=np.inf).fit(known, np.concatenate([one.came for one in before]))
        return np.asarray(model.predict_proba(scores[:, None])[:, 1])


def learn(training: Sequence[Sample], days: float) -> list[Forecast]:
    """Everything that stands in the table, the outlook first. Raises Invalid where training has only one outcome."""
    came = np.concatenate([sample.came for sample in training])
    if not 0 < came.sum() < len(came):
        raise Invalid("in the training part all pairs are alike: choose another window by --days")
    return [
        *outlooks(training, days),
        *(Forecast(name, "baseline", read) for name, read in SINGLE.items()),
        _decayed(training),
        _regression(training, came),
    ]


def _logs(read: Read) -> Read:
    return lambda sample: np.log(read(sample))


SINGLE: dict[str, Read] = {
    "recency": lambda sample: -np.log(samples.silence(sample)),
    "frequency": _logs(samples.count),
    "active days": _logs(samples.active_days),
    "last 30 days": lambda sample: np.log1p(samples.last_month(sample)),
}


def _columns(reads: Sequence[Read], training: Sequence[Sample]) -> Numbers:
    return np.concatenate([np.column_stack([read(sample) for read in reads]) for sample in training])


def _decayed(training: Sequence[Sample]) -> Forecast:
    def read_at(half_life: float) -> Read:
        return lambda sample: np.log(samples.decayed(sample, half_life) + 1e-12)

    def ranks(half_life: float) -> float:
        known = [sample for sample in training if sample.told]
        return float(np.mean([metrics.auc(sample.came, read_at(half_life)(sample)) for sample in known]))

    best = max(HALF_LIVES, key=ranks)
    return Forecast("decayed count", "baseline", read_at(best), f"half-life {best:g} d")


def _regression(training: Sequence[Sample], came: Numbers) -> Forecast:
    reads = [_logs(samples.count), _logs(samples.silence)]
    model = LogisticRegression(C=np.inf).fit(_columns(reads, training), came)

    def scores(sample: Sample) -> Numbers:
        return np.asarray(model.decision_function(np.column_stack([read(sample) for read in reads])))

    told = "log count {:+.2f}, log silence {:+.2f}".format(*model.coef_[0])
    return Forecast("count and silence", "regression", scores, told)


# The outlook in four ways: calibrated here, just as the product shows it, its weights fitted here, the rhythm alone.


def outlooks(training: Sequence[Sample], days: float) -> list[Forecast]:
    own = fit([samples.signs(sample, days) for sample in training], [sample.came for sample in training])
    priors = fit_priors(training)

    def shipped(sample: Sample) -> Numbers:
        return log_odds(samples.signs(sample, days), FITTED)

    def refitted(sample: Sample) -> Numbers:
        return log_odds(samples.signs(sample, days), own)

    def rhythm(sample: Sample) -> Numbers:
        return samples.signs(sample, days, priors)[:, 0]

    learned = f"rhythm {own.rhythm:+.2f}, silence {own.silence:+.2f}, memory {own.memory:+.2f}"
    return [
        Forecast("outlook", "ours", shipped, "its chances, here"),
        Forecast("outlook, as shipped", "ours", shipped, "nothing", shipped=True),
        Forecast("outlook, fitted here", "ours", refitted, learned, _asdict(own)),
        Forecast("rhythm alone", "ours", rhythm, _said(priors), _asdict(priors)),
    ]


def _asdict(fitted: Fitted | Priors) -> dict[str, float]:
    return {name: round(float(getattr(fitted, name)), 4) for name in fitted.__struct_fields__}


def _said(priors: Priors) -> str:
    return f"a0 {priors.repeats:.2g}, b0 {priors.days:.2g} d"


def log_odds(signs: NDArray[np.float64], fitted: Fitted) -> Numbers:
    return np.asarray(fitted.constant + signs @ np.array([fitted.rhythm, fitted.silence, fitted.memory]))


def fit(signs: Sequence[NDArray[np.float64]], came: Sequence[Numbers]) -> Fitted:
    """The likeliest weights whose signs are those they must have, and one constant."""
    weights, constants = fit_together([np.concatenate(signs)], [np.concatenate(came)])
    return Fitted(constants[0], *weights)


def fit_together(
    signs: Sequence[NDArray[np.float64]], came: Sequence[Numbers]
) -> tuple[tuple[float, float, float], list[float]]:
    """The same for several sets, each with a constant of its own and as heavy as the others, whatever its size."""
    sizes = [len(one) for one in came]
    rows, outcome = np.concatenate(signs), np.concatenate(came)
    which = np.repeat(np.arange(len(sizes)), sizes)
    weight = np.repeat([1 / size for size in sizes], sizes) / len(sizes)
    middle, spread = rows.mean(0), rows.std(0) + 1e-9
    scaled = (rows - middle) / spread

    def loss(values: Numbers) -> tuple[float, Numbers]:
        told = scaled @ values[:3] + values[3:][which]
        missed = weight * (expit(told) - outcome)
        slopes = scaled.T @ missed + RIDGE * np.r_[values[:3]]
        constants = np.bincount(which, missed, minlength=len(sizes))
        value = weight @ (np.logaddexp(0, told) - outcome * told) + RIDGE / 2 * float(values[:3] @ values[:3])
        return float(value), np.r_[slopes, constants]

    start = np.zeros(3 + len(sizes))
    bounds = [(0, None), (None, 0), (0, None), *[(None, None)] * len(sizes)]
    found = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    slopes = found[:3] / spread
    rhythm, silence, memory = (float(slope) for slope in slopes)
    return (rhythm, silence, memory), [float(one - slopes @ middle) for one in found[3:]]


def constant_for(scores: Numbers, came: Numbers, weight: Numbers) -> float:
    """The constant with which these scores are right on the whole."""
    share = float(np.average(came, weights=weight))
    found = minimize(
        lambda value: float(weight @ (np.logaddexp(0, scores + value[0]) - came * (scores + value[0]))),
        [logit(share)],
    )
    return float(found.x[0])


def fit_priors(training: Sequence[Sample]) -> Priors:
    """The rhythm's priors: a Lomax over first gaps, MBG/NBD over all; the design's where nobody has a contact day."""
    lasting, still_open = (np.concatenate(column) for column in zip(*map(samples.gaps, training), strict=True))
    repeats, span, age = (np.concatenate(column) for column in zip(*map(samples.stays, training), strict=True))

    if not len(repeats):
        return PRIORS

    def lomax(logs: Numbers) -> float:
        shape, scale = np.exp(logs)
        survived = -shape * np.log1p(lasting / scale)
        return float(-np.mean(np.where(still_open > 0, survived, survived + np.log(shape) - np.log(scale + lasting))))

    def mbg(logs: Numbers) -> float:
        r, alpha, a, b = np.exp(logs)
        alive = betaln(a, b + repeats + 1) - betaln(a, b) - (r + repeats) * np.log(alpha + age)
        gone = betaln(a + 1, b + repeats) - betaln(a, b) - (r + repeats) * np.log(alpha + span)
        told = gammaln(r + repeats) - gammaln(r) + r * np.log(alpha) + np.logaddexp(alive, gone)
        return float(-np.mean(told) + RIDGE * (logs @ logs))

    first = minimize(lomax, np.log([1.0, 10.0]), method="Nelder-Mead", bounds=[(-3, 4), (-5, 7)])
    starts = np.log([PRIORS.purchases, PRIORS.purchase_days, PRIORS.leaves, PRIORS.stays])
    second = minimize(mbg, starts, method="Nelder-Mead", bounds=[(-4, 5)] * 4, options={"maxiter": 600})
    return Priors(*(float(value) for value in np.exp(np.r_[first.x, second.x])))
