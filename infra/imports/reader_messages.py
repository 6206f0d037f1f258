"""What is said between a process of ours, the server of its reading processes, and each of those.

Each message is a frame: its length in eight bytes, then MessagePack. Nothing that a reader says is ever unpickled.
"""

from typing import Literal

import msgspec
from msgspec import Struct

from domain.imports import OwnerCandidate, Reading, Row
from infra.imports.sandbox import Limits

LENGTH = 8
LONGEST = 16 * 1024**2
ROWS_AT_ONCE, BYTES_AT_ONCE = 1_000, 2 * 1024**2


class Task(Struct, frozen=True):
    """What a reader is to do with its file. `format` and `reading` where they are known; `after` is the last row that
    need not be told."""

    what: Literal["recognise", "owners", "read"]
    limits: Limits
    format: str = ""
    reading: Reading | None = None
    after: int = 0


# To the server. Each has the number of a reader; with `Begin` come two files: the one to read, and where to answer.
class Begin(Struct, frozen=True, tag="begin"):
    reader: int
    task: Task


class Pause(Struct, frozen=True, tag="pause"):
    reader: int


class Resume(Struct, frozen=True, tag="resume"):
    reader: int


class Kill(Struct, frozen=True, tag="kill"):
    reader: int


# From the server.
class Ready(Struct, frozen=True, tag="ready"):
    """It waits for readers to be begun."""


class Ended(Struct, frozen=True, tag="ended"):
    """A reader's process is gone: `status` as `os.waitpid` gives it, and the seconds it computed."""

    reader: int
    status: int
    seconds: float


# From a reader.
class Recognised(Struct, frozen=True, tag="recognised"):
    format: str


class Owners(Struct, frozen=True, tag="owners"):
    owners: list[OwnerCandidate]


class Rows(Struct, frozen=True, tag="rows"):
    """The next rows: `ROWS_AT_ONCE`, or so many as first weigh `BYTES_AT_ONCE`; and whether they are the last."""

    rows: list[Row]
    last: bool


class Packed(Struct, frozen=True, tag="rows"):
    """`Rows`, each packed already."""

    rows: list[msgspec.Raw]
    last: bool


class Refusal(Struct, frozen=True, tag="refusal"):
    """The file itself is refused."""

    reason: str
    field: str | None


class OutOf(Struct, frozen=True, tag="out_of"):
    """It needed more than it may have."""

    what: Literal["memory", "disk"]


class Broken(Struct, frozen=True, tag="broken"):
    """A fault of ours, and where."""

    error: str


Order = Begin | Pause | Resume | Kill
Notice = Ready | Ended
Answer = Recognised | Owners | Rows | Refusal | OutOf | Broken
Said = Recognised | Owners | Packed | Refusal | OutOf | Broken

_PACK = msgspec.msgpack.Encoder()
ORDERS = msgspec.msgpack.Decoder(Order)
NOTICES = msgspec.msgpack.Decoder(Notice)
ANSWERS = msgspec.msgpack.Decoder(Answer)


def packed(row: Row) -> msgspec.Raw:
    return msgspec.Raw(_PACK.encode(row))


def framed(message: Order | Notice | Said) -> bytes:
    frame = _PACK.encode(message)
    return len(frame).to_bytes(LENGTH) + frame


class Unframed:
    """Bytes as they come in, and the whole messages among them."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def take(self, received: bytes) -> list[bytes]:
        self._kept += received
        found = []
        while len(self._kept) >= LENGTH:
            end = LENGTH + int.from_bytes(self._kept[:LENGTH])
            if len(self._kept) < end:
                break
            found.append(bytes(self._kept[LENGTH:end]))
            del self._kept[:end]
        return found
