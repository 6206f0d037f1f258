"""Writes the made-up practice's files to a folder, for whoever wants to try the imports with them."""

from datetime import datetime
from pathlib import Path

from domain.errors import Refused
from services.demo.days import ZONE
from services.demo.files import files
from services.demo.practice import SEED, generate


def write(folder: Path) -> None:
    """The files of two years up to today, a folder for each business. Raises Refused."""
    made = files(generate(SEED, datetime.now(ZONE).date()))
    try:
        for name, content in made.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except OSError as error:
        raise Refused(f"{folder} cannot be written to: {error.strerror}.") from error
    print(f"{len(made)} files of a made-up practice, in {folder}:")
    for name, content in made.items():
        print(f"  {name}  {len(content) // 1024 + 1} kB")
