"""The files a process reads just now: a reader goes on where it stood, from batch to batch."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice
from typing import IO
from uuid import UUID

import uuid_utils.compat as uuid_utils
from msgspec import Struct

from domain.imports import Row

MOST_OPEN = 4

Reader = tuple[IO[bytes], Iterator[Row]]


class _Open(Struct):
    file: IO[bytes]
    rows: Iterator[Row]
    pass_: object
    through: int = 0

    def close(self) -> None:
        if hasattr(self.rows, "close"):
            self.rows.close()
        self.file.close()


class OpenFiles:
    """`worker` names this process among those that work on imports."""

    def __init__(self) -> None:
        self.worker = uuid_utils.uuid7()
        self._open: OrderedDict[UUID, _Open] = OrderedDict()

    async def take(
        self, import_id: UUID, pass_: object, *, after: int, most: int, begin: Callable[[], Awaitable[Reader]]
    ) -> list[Row]:
        """The rows after a row, `most` at a time. A file not open in this pass, or past that row, begins anew."""
        found = self._open.get(import_id)
        if found is None or found.pass_ != pass_ or found.through > after:
            self.close(import_id)
            found = self._open[import_id] = _Open(*await begin(), pass_)
        self._open.move_to_end(import_id)
        while len(self._open) > MOST_OPEN:
            self.close(next(iter(self._open)))
        try:
            rows = await asyncio.to_thread(_rows, found, after, most)
        except BaseException:
            del self._open[import_id]  # its thread may still read: what nobody holds any more closes by itself
            raise
        found.through = after + len(rows)
        return rows

    def close(self, import_id: UUID) -> None:
        if found := self._open.pop(import_id, None):
            found.close()

    def close_all(self) -> None:
        for import_id in list(self._open):
            self.close(import_id)


def _rows(found: _Open, after: int, most: int) -> list[Row]:
    return list(islice(found.rows, after - found.through, after - found.through + most))
