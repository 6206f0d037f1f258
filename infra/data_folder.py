"""The data folder of one installation: its parts, its locks, its secrets, its small state files."""

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

T = TypeVar("T")


class DataFolderError(Exception):
    """The data folder cannot be used. The text says why."""


class DataFolder(Struct, frozen=True):
    root: Path

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def locks(self) -> Path:
        return self.root / "locks"

    def create(self) -> None:
        try:
            # Root's PostgreSQL runs as another user, who has to get through.
            self.root.mkdir(parents=True, exist_ok=True, mode=0o711 if os.geteuid() == 0 else 0o700)
            for part in (self.keys, self.logs, self.locks):
                part.mkdir(exist_ok=True, mode=0o700)
            tempfile.TemporaryFile(dir=self.root).close()
        except OSError as error:
            raise DataFolderError(
                f"The data folder {self.root} cannot be used: {error.strerror}. Set RAPPORT_DATA or --data to another."
            ) from error

    @contextmanager
    def locked(self, name: str, *, shared: bool = False, wait: bool = True) -> Iterator[None]:
        """Hold a lock of this folder; without `wait`, BlockingIOError where another process has it.

        The kernel lets go of it however this process dies.
        """
        with (self.locks / name).open("ab") as handle:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
            yield

    def is_locked(self, name: str, *, shared: bool = False) -> bool:
        """Whether another process holds the lock; with `shared`, only whether it holds it for itself alone."""
        try:
            with self.locked(name, shared=shared, wait=False):
                return False
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False

    def secret(self, name: str, make: Callable[[], str]) -> str:
        """What `keys/name` holds; made and stored, for the owner's eyes only, when it is not there."""
        file = self.keys / name
        if not file.exists():
            replace(file, make().encode())
        return file.read_text().strip()

    def read(self, name: str, shape: type[T]) -> T | None:
        file = self.root / name
        return msgspec.json.decode(file.read_bytes(), type=shape) if file.exists() else None

    def write(self, name: str, state: Struct) -> None:
        replace(self.root / name, msgspec.json.encode(state))


def replace(file: Path, content: bytes) -> None:
    """Write a file as a whole, mode 600: a reader sees the old content or the new, also after a crash."""
    handle, name = tempfile.mkstemp(dir=file.parent)
    with os.fdopen(handle, "wb") as new:
        new.write(content)
        new.flush()
        os.fsync(new.fileno())
    Path(name).replace(file)
