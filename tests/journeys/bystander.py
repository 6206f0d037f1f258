"""A business that goes on with its day while another one brings harm."""

import asyncio
import time
from datetime import UTC, datetime
from itertools import count
from typing import Any

import httpx

LONGEST = 5.0  # seconds that one answer may take


class Bystander:
    """Writes and reads what it wrote, one after the other. Whatever is not answered in five seconds is a failure."""

    def __init__(self, address: str, api_key: str, *, background: bool = True) -> None:
        self._background = background
        self._client = httpx.AsyncClient(
            base_url=address, headers={"Authorization": f"Bearer {api_key}"}, timeout=LONGEST
        )
        self._numbers = count()
        self.seconds: list[float] = []

    async def goes_on(self) -> None:
        """A touchpoint, and the page of contacts; where there is a background, once the touchpoint is in it."""
        number = next(self._numbers)
        position = (await self._answered("POST", "/v1/touchpoints", json=self._touchpoint(number)))["position"]
        if not self._background:
            await self._answered("GET", "/v1/contacts", params={"limit": 10})
            return
        page = await self._answered("GET", "/v1/contacts", params={"after": position, "limit": 200})
        assert any(contact["name"] == f"Person {number % 100}" for contact in page["items"]), page

    async def goes_on_beside(self, *others: asyncio.Task[Any]) -> None:
        """Once at least, and until they are over."""
        await self.goes_on()
        while not all(other.done() for other in others):
            await self.goes_on()

    def _touchpoint(self, number: int) -> dict[str, Any]:
        return {
            "kind": "email", "occurred_at": datetime.now(UTC).isoformat(), "channel": "email", "direction": "in",
            "source": "till", "source_id": str(number),
            "with": [{"email": f"p{number % 100}@example.com", "name": f"Person {number % 100}"}],
        }  # fmt: skip

    async def _answered(self, method: str, path: str, **what: Any) -> Any:
        began = time.monotonic()
        answer = await self._client.request(method, path, **what)
        self.seconds.append(time.monotonic() - began)
        assert answer.is_success, answer.text
        return answer.json()

    async def close(self) -> None:
        await self._client.aclose()

    def percentile(self, part: float) -> float:
        """Seconds within which this part of its requests was answered."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))]

    def told(self) -> str:
        """How it was answered, in milliseconds."""
        p50, p99, longest = (
            round(seconds * 1000) for seconds in (*map(self.percentile, (0.5, 0.99)), max(self.seconds))
        )
        return f"{len(self.seconds)} answers, p50 {p50} ms, p99 {p99} ms, longest {longest} ms"
