"""Named statements of SQL, read from the file that holds them."""

import re
from collections.abc import Iterator


class Queries:
    """The named statements of one file of SQL: `-- name: x` starts one; read as attributes.

    `-- part: x` starts what several of them have in common: it stands in them as {x}.
    """

    def __init__(self, text: str) -> None:
        found = re.split(r"^-- (name|part): (\w+)\s*$", text, flags=re.MULTILINE)[1:]
        blocks = [(kind, name, body.strip()) for kind, name, body in zip(*[iter(found)] * 3, strict=True)]
        parts = {name: body for kind, name, body in blocks if kind == "part"}
        self._statements: dict[str, str] = {
            name: re.sub(r"\{(\w+)\}", lambda place: parts[place[1]], body)
            for kind, name, body in blocks
            if kind == "name"
        }

    def __getattr__(self, name: str) -> str:
        try:
            return self._statements[name]
        except KeyError:
            raise AttributeError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._statements)
