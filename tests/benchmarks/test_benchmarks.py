"""That each benchmark runs and tells something; at a tiny size, so its figures say nothing."""

import pytest

from tests.benchmarks.__main__ import SUBJECTS
from tests.benchmarks.place import Place, Size
from tests.benchmarks.table import Figure, at_least, at_most, in_turns, lines
from tests.conftest import Servers

TINY = Size(
    rounds=1,
    seconds=0.2,
    imported=100,
    caught_up=100,
    peer_events=20,
    rebuilt=100,
    contacts=20,
    few_contacts=5,
    tenants=5,
    samples=3,
    memory_events=200,
    few_memory_events=100,
    lost_events=200,
    delivered=20,
    queued=200,
)


@pytest.mark.slow
@pytest.mark.parametrize("subject", SUBJECTS)
async def test_a_benchmark_runs_and_tells_its_figures(servers: Servers, subject: str):
    figures = await SUBJECTS[subject](Place(servers, TINY))
    assert len(lines(figures)) == 1 + len(figures) > 1
    for one in figures:
        assert one.ours >= 0 or one.unit == "MB"
        assert one.theirs is None or (one.ours > 0 and one.theirs > 0), one
        assert not one.what.startswith("lost") or one.ours == 0


async def test_the_sides_take_turns_and_tell_their_medians():
    order: list[str] = []

    async def run(name: str) -> float:
        order.append(name)
        return len(order)

    told = await in_turns(3, ours=lambda: run("ours"), theirs=lambda: run("theirs"))
    assert order == ["ours", "theirs"] * 3
    assert told == {"ours": 3, "theirs": 4}


def test_an_aim_is_met_by_the_ratio_or_where_there_is_no_yardstick_by_the_figure():
    assert Figure("one", "other", "1/s", 9.0, 10.0, at_least(0.85)).verdict == "met"
    assert Figure("one", "other", "s", 41.0, 10.0, at_most(4)).verdict == "missed"
    assert Figure("one", "", "events", 0, None, at_most(0)).verdict == "met"
    assert Figure("one", "", "ms", 3.0).verdict == ""
