"""Records the specimen of the made-up practice anew: `python -m tests.specimens.record`.

Only where a change of meaning is intended: then say in CHANGELOG.md what came to mean something else. Whatever else
changes it, a move or a faster query, is a fault.
"""

import asyncio

from tests.conftest import started
from tests.specimens import practice


def main() -> None:
    with started() as servers:
        made = asyncio.run(practice.made(servers))
    practice.RECORDED.write_text(practice.written(made) + "\n")
    print(f"{practice.RECORDED}: {practice.RECORDED.stat().st_size / 1024:.0f} kB")


if __name__ == "__main__":
    main()
