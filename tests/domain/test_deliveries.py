"""A delivery from its first attempt to its end, with time and chance as arguments."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from domain import deliveries
from domain.deliveries import Answer, Breaker, Delivery, Health

NOW = datetime(2026, 5, 6, 12, tzinfo=UTC)
LEASE = UUID(int=1)
GOOD, BAD, GONE = Answer(200), Answer(500), Answer(410)
OURS = Answer(failure="resolver")
FRESH = Delivery("waiting", 0, NOW)


def sent(delivery: Delivery, answer: Answer, *, now: datetime = NOW, chance: float = 0.5) -> Delivery:
    return deliveries.after(deliveries.take(delivery, lease=LEASE, now=now), answer, now=now, chance=chance)


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_the_whole_schedule_is_eleven_sends_over_about_75_hours(chance: float):
    clock, delivery, pauses = NOW, FRESH, []
    for _ in range(10):
        delivery = sent(delivery, BAD, now=clock, chance=chance)
        assert delivery.state == "waiting"
        pauses.append(delivery.due_at - clock)
        clock = delivery.due_at
    delivery = sent(delivery, BAD, now=clock, chance=chance)
    assert (delivery.state, delivery.attempts) == ("exhausted", 11)
    planned = [5, 60, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]
    spread = 0.8 + 0.4 * chance
    assert [pause.total_seconds() for pause in pauses] == pytest.approx([seconds * spread for seconds in planned])
    assert (clock - NOW) / timedelta(hours=75) == pytest.approx(spread, rel=0.02)


def test_a_good_answer_ends_it():
    assert sent(FRESH, GOOD).state == "delivered"


@pytest.mark.parametrize("status", [301, 302, 400, 401, 404, 410, 429, 500, 503])
def test_any_other_status_is_tried_again(status: int):
    assert sent(FRESH, Answer(status)).state == "waiting"


def test_a_fault_of_ours_burns_no_attempt():
    delivery = sent(FRESH, OURS)
    assert (delivery.state, delivery.attempts, delivery.due_at) == ("waiting", 0, NOW + timedelta(seconds=30))


@pytest.mark.parametrize(
    ("status", "said", "seconds"),
    [
        (429, "120", 120),
        (503, "120", 120),
        (429, format_datetime(NOW + timedelta(minutes=10), usegmt=True), 600),
        (429, format_datetime(NOW - timedelta(minutes=10), usegmt=True), 5),
        (429, "soon", 5),
        (429, "-5", 5),
        (429, "1.5", 5),
        (429, "\u0661\u0662\u0660", 5),
        (429, "1000000000", 3_600),
        (429, "9" * 400, 3_600),
        (429, "1", 5),
        (500, "120", 5),
        (429, None, 5),
    ],
)
def test_retry_after_is_obeyed_within_bounds(status: int, said: str | None, seconds: int):
    delivery = sent(FRESH, Answer(status, retry_after=said))
    assert (delivery.due_at - NOW).total_seconds() == pytest.approx(seconds, abs=1)


def test_late_in_the_schedule_retry_after_may_double_the_pause_and_not_more():
    tried = Delivery("waiting", 9, NOW)
    assert sent(tried, Answer(429, retry_after="1000000000")).due_at - NOW == timedelta(hours=48)


def test_a_lease_that_ran_out_counts_as_an_attempt_and_may_be_the_last():
    taken = deliveries.take(FRESH, lease=LEASE, now=NOW)
    assert not deliveries.may_be_taken(taken, now=NOW + timedelta(seconds=29))
    assert deliveries.may_be_taken(taken, now=NOW + timedelta(seconds=30))
    assert deliveries.take(taken, lease=LEASE, now=NOW).attempts == 1
    last = Delivery("sending", 10, NOW, LEASE, NOW)
    assert deliveries.take(last, lease=LEASE, now=NOW).state == "exhausted"


def judged(answers: list[Answer], *, every: timedelta = timedelta(seconds=1)) -> Breaker:
    breaker = Breaker()
    for n, answer in enumerate(answers):
        breaker = deliveries.breaker_after(breaker, answer, now=NOW + n * every)
    return breaker


def test_the_breaker_opens_at_seven_of_ten_failures():
    assert judged([GOOD] * 3 + [BAD] * 7).probe_at == NOW + timedelta(seconds=9 + 30)
    assert judged([GOOD] * 4 + [BAD] * 7).probe_at is None
    assert judged([BAD] * 9).probe_at is None
    assert judged([BAD] * 10, every=timedelta(seconds=40)).probe_at is None
    assert judged([OURS] * 50).probe_at is None


def test_each_failed_probe_doubles_the_pause_up_to_ten_minutes_and_a_good_one_closes_it():
    breaker, clock, pauses = judged([BAD] * 10), NOW, []
    for _ in range(7):
        assert breaker.probe_at is not None
        clock = breaker.probe_at
        breaker = deliveries.breaker_after(breaker, BAD, now=clock)
        assert breaker.probe_at is not None
        pauses.append((breaker.probe_at - clock).total_seconds())
    assert pauses == [60, 120, 240, 480, 600, 600, 600]
    assert deliveries.breaker_after(breaker, GOOD, now=clock).probe_at is None


def told(answers: list[tuple[timedelta, Answer]]) -> list[str]:
    health, said = Health(), []
    for at, answer in answers:
        health, verdict = deliveries.health_after(health, answer, now=NOW + at)
        said.append(verdict)
    return said


def test_five_days_of_only_failures_warn_half_way_and_disable_at_the_end():
    said = told([(timedelta(hours=6 * n), BAD) for n in range(21)])
    assert said.index("warn") == 10
    assert said.count("warn") == 1
    assert said.index("disable") == 20


def test_one_success_begins_it_anew():
    hours = [(timedelta(hours=6 * n), GOOD if n == 15 else BAD) for n in range(25)]
    assert "disable" not in told(hours)


def test_few_failures_over_many_days_do_not_disable():
    assert set(told([(timedelta(days=n), BAD) for n in range(9)])) == {"fine"}


def test_our_own_faults_disable_nobody():
    assert set(told([(timedelta(hours=6 * n), OURS) for n in range(40)])) == {"fine"}


def test_410_disables_at_once():
    assert told([(timedelta(0), GONE)]) == ["disable"]


ANSWERS = st.sampled_from([GOOD, BAD, OURS, GONE, Answer(429, retry_after="77"), Answer(failure="timeout")])


class Life(RuleBasedStateMachine):
    """A delivery among workers that die, come back late, and race; the receiver remembers what it got."""

    @initialize()
    def begin(self) -> None:
        self.clock = NOW
        self.delivery = FRESH
        self.leases: dict[UUID, Delivery] = {}
        self.good_answers_taken = 0
        self.counted = self.taken = 0

    @rule(seconds=st.integers(0, 90_000))
    def time_passes(self, seconds: int) -> None:
        self.clock += timedelta(seconds=seconds)

    @precondition(lambda self: deliveries.may_be_taken(self.delivery, now=self.clock))
    @rule()
    def a_worker_takes_it(self) -> None:
        self.counted += self.delivery.state == "sending"
        self.taken += 1
        lease = UUID(int=self.taken)
        self.delivery = deliveries.take(self.delivery, lease=lease, now=self.clock)
        if self.delivery.state == "sending":
            self.leases[lease] = self.delivery

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), answer=ANSWERS, chance=st.floats(0, 1))
    def a_worker_comes_back(self, data: st.DataObject, answer: Answer, chance: float) -> None:
        """Late or not: its result is taken only under the lease the row has."""
        lease = data.draw(st.sampled_from(sorted(self.leases)))
        taken = self.leases.pop(lease)
        if self.delivery.state == "sending" and self.delivery.lease == lease:
            self.delivery = deliveries.after(taken, answer, now=self.clock, chance=chance)
            self.good_answers_taken += answer.good
            self.counted += not answer.ours

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def a_worker_dies(self, data: st.DataObject) -> None:
        self.leases.pop(data.draw(st.sampled_from(sorted(self.leases))))

    @invariant()
    def attempts_are_those_that_count(self) -> None:
        assert self.delivery.attempts == self.counted <= 11

    @invariant()
    def it_ends_once_and_for_good_reason(self) -> None:
        assert (self.delivery.state == "delivered") == (self.good_answers_taken == 1)
        assert (self.delivery.state == "exhausted") <= (self.delivery.attempts == 11)

    @invariant()
    def it_is_never_stuck(self) -> None:
        if self.delivery.state in deliveries.OPEN:
            later = self.clock + timedelta(days=3)
            assert deliveries.may_be_taken(self.delivery, now=later)


Life.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestLife = Life.TestCase
