"""Decisions of one tenant take turns; other tenants do not wait."""

import asyncio
from contextlib import AsyncExitStack
from uuid import UUID

import pytest

from infra import turns
from infra.turns import Turns

BAKERY, FLORIST = UUID(int=1), UUID(int=2)


async def test_one_at_a_time_and_the_other_tenant_at_once():
    lined_up, told = Turns(), list[str]()

    async def decide(tenant: UUID, name: str, pause: float) -> None:
        async with lined_up.of(tenant):
            told.append(f"{name} begins")
            await asyncio.sleep(pause)
            told.append(f"{name} ends")

    await asyncio.gather(decide(BAKERY, "a", 0.05), decide(BAKERY, "b", 0), decide(FLORIST, "c", 0))
    assert told == ["a begins", "c begins", "c ends", "a ends", "b begins", "b ends"]


async def test_a_turn_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(turns, "LONGEST_WAIT", 0.05)
    lined_up = Turns()
    async with lined_up.of(BAKERY):
        with pytest.raises(TimeoutError):
            async with lined_up.of(BAKERY):
                raise AssertionError("two at once")
    async with lined_up.of(BAKERY):
        pass


async def test_a_decision_that_fails_leaves_the_turn_to_the_next():
    lined_up = Turns()
    with pytest.raises(ValueError, match="no"):
        async with lined_up.of(BAKERY):
            raise ValueError("no")
    async with lined_up.of(BAKERY):
        pass


async def test_decisions_of_many_tenants_leave_connections_for_the_rest(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(turns, "LONGEST_WAIT", 0.05)
    lined_up = Turns()
    async with AsyncExitStack() as taken:
        for number in range(turns.AT_ONCE):
            await taken.enter_async_context(lined_up.of(UUID(int=number)))
        with pytest.raises(TimeoutError):
            await taken.enter_async_context(lined_up.of(UUID(int=100)))
    async with lined_up.of(UUID(int=100)):
        pass
