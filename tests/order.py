"""In what order pytest-xdist's workers are given the tests: the long ones first, the short ones last, to fill the gaps.

A group begun when the others are about to end keeps one worker busy and the rest idle. `make test` keeps this order
(`--no-loadscope-reorder`): left alone, pytest-xdist puts the groups of most tests first, which are not the longest.
"""

import os
from pathlib import Path

import pytest

from infra import garbage

HERE = Path(__file__).parent
# Files or folders, the longest first, as `--timing` has them. A group's tests stay together.
LONG = (
    "infra/test_nudge_year.py",
    "journeys/test_faults.py",
    "journeys/test_webhook_faults.py",
    "services/test_supervisor.py",
    "specimens",
    "services/test_demo.py",
    "services/test_office.py",
    "infra/imports/test_many_rows.py",
    "journeys",
    "services/evaluation/test_evaluate.py",
    "benchmarks",
)
SHORT = "domain"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: place(item.path))
        if config.getoption("loadgroup"):
            refuse_lost_groups(items)


def refuse_lost_groups(items: list[pytest.Item]) -> None:
    """A group is the end of a test's id. Where a version of pytest loses it, each worker would set up everything."""
    lost = [item.nodeid for item in items if item.get_closest_marker("xdist_group") and "@" not in item.nodeid]
    if lost:
        raise pytest.UsageError(f"pytest-xdist does not keep groups together with this pytest: {lost[0]}")


def place(path: Path) -> int:
    """Within a place the order stays as it was collected."""
    if path.is_relative_to(HERE / SHORT):
        return len(LONG) + 1
    return next((at for at, long in enumerate(LONG) if path.is_relative_to(HERE / long)), len(LONG))


def pytest_collection_finish() -> None:
    """What was collected stays to the end: looked through at each collection of garbage, it costs every test."""
    garbage.settle()
