"""The command `rapport`. Exit codes: 0 all is well, 1 something is wrong or failed, 2 it was called wrongly."""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from domain.errors import Refused
from infra import embedded, migrate, settings
from infra.data_folder import DataFolder, DataFolderError
from infra.embedded import EmbeddedError
from infra.migrate import MigrationError
from infra.ports import PortTaken
from infra.settings import Settings, SettingsError
from services.supervisor import NotStarted

REFUSALS = (Refused, SettingsError, DataFolderError, EmbeddedError, MigrationError, PortTaken, NotStarted)

Data = Annotated[Path | None, Parameter(help="The data folder, instead of RAPPORT_DATA.")]
Port = Annotated[int | None, Parameter(help="The API's port, instead of RAPPORT_PORT.")]

app = App(name="rapport", help="The relationships of small businesses.", version_flags=[])


def main() -> None:
    sys.exit(call(sys.argv[1:]))


def call(arguments: list[str]) -> int:
    try:
        done = app(arguments, exit_on_error=False, result_action="return_value")
    except CycloptsError:
        return 2
    except REFUSALS as refusal:
        print(refusal, file=sys.stderr)
        return 1
    return done if isinstance(done, int) else 0


def environ(data: Path | None, port: int | None = None) -> dict[str, str]:
    """The environment, with what was said on the command line."""
    said = {"RAPPORT_DATA": data, "RAPPORT_PORT": port}
    return {**os.environ, **{name: str(value) for name, value in said.items() if value is not None}}


@contextmanager
def running(data: Path | None = None, port: int | None = None) -> Iterator[Settings]:
    """Settings whose servers answer. Embedded servers are started where none run, migrated, and stopped after use.

    Raises one of REFUSALS. Your own servers are taken as they are: `rapport migrate` and `rapport up` migrate them.
    """
    given = environ(data, port)
    typed = settings.typed(given)
    if typed.database_url:
        yield settings.load(given)
        return
    folder = DataFolder(typed.data)
    folder.create()
    if not typed.master_key:
        given["RAPPORT_MASTER_KEY"] = embedded.master_key(folder)
    with embedded.servers(folder) as servers:
        embedded.prepare(folder, servers)
        yield settings.load({**servers.environment(), **given})


@app.command
def up(*, port: Port = None, demo: bool = True, data: Data = None) -> None:
    """Start everything, and keep it running until Ctrl-C."""
    from services import supervisor

    typed = settings.typed(environ(data, port))
    with supervisor.alone(typed), running(data, port) as configured:
        if typed.database_url:
            migrate.up(configured.admin_url)
        asyncio.run(supervisor.run(configured, own_servers=typed.database_url is not None, demo=demo))


@app.command(name="migrate")
def migrate_(*, data: Data = None) -> None:
    """Create the database where it is missing and bring it up to date."""
    with running(data) as configured:
        migrate.up(configured.admin_url)
    print("The database is up to date.")


@app.command
def api(*, port: Port = None, data: Data = None) -> None:
    """Run the API alone."""
    from services import server

    with running(data, port) as configured:
        server.run(configured)


@app.command
def worker(*, data: Data = None) -> None:
    """Run the worker alone."""
    with running(data) as configured:
        os.environ.update(settings.environment(configured))
        from services.workers.main import run

        run()


@app.command
def status(*, json: bool = False, data: Data = None) -> None:
    """Say what runs, and where."""
    from services import status

    status.show(status.find(settings.typed(environ(data))), as_json=json)


@app.command
def doctor(*, port: Port = None, data: Data = None) -> int:
    """Find out what is wrong with this installation, and say what to do."""
    from services import doctor

    return doctor.examine(environ(data, port))


if __name__ == "__main__":
    main()
