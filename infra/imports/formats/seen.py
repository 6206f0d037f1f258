"""What a reader remembers of the rows before: what it has seen, and which texts went to many people at once.

Kept in a private SQLite database that spills to the disk, so that a million rows take no more memory than a thousand.
"""

import sqlite3
from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Self

from infra.named_sql import Queries

MANY = 5
WITHIN = timedelta(hours=24)
_SQL = Queries((Path(__file__).parent / "seen.sql").read_text(encoding="utf-8"))


def _key(parts: Iterable[str]) -> bytes:
    return sha256("\0".join(parts).encode(errors="surrogatepass")).digest()[:16]


class Seen:
    """Open it with `with`: what it holds is gone at the end."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(_SQL.tables)
        self._database.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def times(self, *parts: str) -> int:
        """How often this was seen, this time included."""
        [(times,)] = self._database.execute(_SQL.see, (_key(parts),)).fetchall()
        return int(times)

    def told(self, digest: bytes, at: datetime, who: str) -> None:
        """This text went to somebody."""
        self._database.execute(_SQL.tell, (digest, int(at.timestamp()), _key([who])))

    def find_bulk(self) -> None:
        """Note which texts went to `MANY` people or more within a day, and when, of those told so far."""
        within = int(WITHIN.total_seconds())
        latest: dict[bytes, int] = {}
        current, since, until = None, 0, -1
        for digest, at, who in self._database.execute(_SQL.told, (MANY,)):
            if digest != current:
                self._mark(current, since, until)
                current, latest, until = digest, {}, -1
            latest.pop(who, None)
            latest[who] = at
            if len(latest) > MANY:
                del latest[next(iter(latest))]
            if len(latest) == MANY and at - next(iter(latest.values())) <= within:
                if until < at - within:
                    self._mark(current, since, until)
                    since = at - within
                until = at
        self._mark(current, since, until)
        self._database.execute(_SQL.index_bulk)

    def _mark(self, digest: bytes | None, since: int, until: int) -> None:
        if digest is not None and until >= since:
            self._database.execute(_SQL.mark, (digest, since, until))

    def is_bulk(self, digest: bytes | None, at: datetime) -> bool:
        second = int(at.timestamp())
        found = self._database.execute(_SQL.bulk_until, (digest, second)).fetchone() if digest is not None else None
        return found is not None and bool(found[0] >= second)

    def offer(self, key: tuple[str, ...], rank: str, line: int) -> None:
        """A version of a thing, by the line it stands in."""
        self._database.execute(_SQL.offer_version, (_key(key), rank, line))

    def best(self, key: tuple[str, ...]) -> tuple[str, int] | None:
        """The rank and the line of the version with the highest rank, of equals the first; None where there is none."""
        found: tuple[str, int] | None = self._database.execute(_SQL.best_version, (_key(key),)).fetchone()
        return found

    def keep_part(self, whole: tuple[str, ...], key: tuple[str, ...], line: int, text: str) -> None:
        """A thing that is a part of another, where the version in this line is the best of those offered so far."""
        self._database.execute(_SQL.keep_part, (_key(whole), text, _key(key), line))

    def parts(self, whole: tuple[str, ...], *, most: int) -> list[str]:
        """The best versions of its parts, in the order of their lines."""
        return [text for (text,) in self._database.execute(_SQL.parts, (_key(whole), most))]
