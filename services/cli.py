"""The command `rapport`. Exit codes: 0 all is well, 1 something is wrong or failed, 2 it was called wrongly.

Every command imports what it needs, and nothing else of ours is imported: `rapport --help` answers at once.
"""

import os
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar
from uuid import UUID

from cyclopts import App, CycloptsError, Parameter

from services import DISTRIBUTION

if TYPE_CHECKING:
    from infra.settings import Settings

T = TypeVar("T")

Data = Annotated[Path | None, Parameter(help="The data folder, instead of RAPPORT_DATA.")]
Port = Annotated[int | None, Parameter(help="The API's port, instead of RAPPORT_PORT.")]
Tenant = Annotated[UUID | None, Parameter(name="--tenant", help="The tenant's id; not needed where there is one only.")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="For programs: JSON on standard output.")]


def version() -> str:
    from importlib import metadata

    return metadata.version(DISTRIBUTION)


app = App(name="rapport", help="The relationships of small businesses.", version=version, help_format="plaintext")
businesses = App(name="tenant", help="The businesses.")
app.command(businesses)
hooks = App(name="webhooks", help="For those who build against webhooks.")
app.command(hooks)


def main() -> None:
    sys.exit(call(sys.argv[1:]))


def call(arguments: list[str]) -> int:
    try:
        done = app(arguments, exit_on_error=False, result_action="return_value")
    except CycloptsError:
        return 2
    except refusals() as refusal:
        print(refusal, file=sys.stderr)
        return 1
    return done if isinstance(done, int) else 0


def refusals() -> tuple[type[Exception], ...]:
    """What is told in a sentence. Asked for only when something was raised."""
    from domain.errors import Refused
    from infra.data_folder import DataFolderError
    from infra.embedded import EmbeddedError
    from infra.migrate import MigrationError
    from infra.ports import PortTaken
    from infra.sealing import WrongKey
    from infra.settings import SettingsError
    from services.supervisor import NotStarted

    return (Refused, SettingsError, DataFolderError, EmbeddedError, MigrationError, PortTaken, NotStarted, WrongKey)


def run(work: Coroutine[Any, Any, T]) -> T:
    import asyncio

    return asyncio.run(work)


def environ(data: Path | None, port: int | None = None) -> dict[str, str]:
    """The environment, with what was said on the command line."""
    said = {"RAPPORT_DATA": data, "RAPPORT_PORT": port}
    return {**os.environ, **{name: str(value) for name, value in said.items() if value is not None}}


def quietly(configured: "Settings") -> None:
    """Commands that do a worker's work log as it does, warnings only: their output is for people."""
    from infra import logs

    logs.configure("warning" if configured.log_level == "info" else configured.log_level)


@contextmanager
def running(data: Path | None = None, port: int | None = None) -> Iterator["Settings"]:
    """Settings whose servers answer. Embedded servers are started where none run, migrated, and stopped after use.

    Raises one of `refusals`. Your own servers are taken as they are: `rapport migrate` and `rapport up` migrate them.
    """
    from infra import embedded, settings
    from infra.data_folder import DataFolder

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
    from infra import migrate, settings
    from services import supervisor

    typed = settings.typed(environ(data, port))
    with supervisor.alone(typed), running(data, port) as configured:
        if typed.database_url:
            migrate.up(configured.admin_url)
        run(supervisor.run(configured, own_servers=typed.database_url is not None, demo=demo))


@app.command
def demo(
    *,
    files: Annotated[Path | None, Parameter(help="Only write the files the made-up businesses bring, to here.")] = None,
    data: Data = None,
) -> None:
    """The main job once: bring what three made-up businesses have, and print what comes of it."""
    if files is not None:
        from services.demo import writing

        writing.write(files)
        return
    with running(data) as configured:
        from infra.data_folder import DataFolder
        from services.demo import showing

        quietly(configured)
        run(showing.run(configured, DataFolder(configured.data)))


@businesses.command(name="add")
def tenant_add(
    name: str,
    /,
    *,
    country: Annotated[str, Parameter(help="ISO 3166 code: how phone numbers are read.")] = "US",
    locality: Annotated[str | None, Parameter(help="The town: who lives there is within reach.")] = None,
    time_zone: Annotated[str, Parameter(help="IANA name, such as Europe/Berlin.")] = "UTC",
    json: Json = False,
    data: Data = None,
) -> None:
    """Add a business; print its id and its API key, this once."""
    with running(data) as configured:
        from services import office

        adding = office.add_tenant(
            configured, name=name, country=country, locality=locality, time_zone=time_zone, as_json=json
        )
        run(adding)


@businesses.command(name="list")
def tenant_list(*, json: Json = False, data: Data = None) -> None:
    """List the businesses of this installation."""
    with running(data) as configured:
        from services import office

        run(office.show_tenants(configured, as_json=json))


@businesses.command(name="suspend")
def tenant_suspend(tenant_id: UUID, /, *, data: Data = None) -> None:
    """Refuse a business's API keys, and hold back its webhooks and nudges, until it is resumed."""
    with running(data) as configured:
        from services import office

        run(office.suspend(configured, tenant_id))


@businesses.command(name="resume")
def tenant_resume(tenant_id: UUID, /, *, data: Data = None) -> None:
    """Let a suspended business go on: its keys are taken, what waited goes out."""
    with running(data) as configured:
        from services import office

        run(office.resume(configured, tenant_id))


@app.command
def contacts(*, tenant: Tenant = None, limit: int = 20, json: Json = False, data: Data = None) -> None:
    """List the strongest relationships."""
    with running(data) as configured:
        from services import office

        run(office.show_contacts(configured, tenant=tenant, limit=limit, as_json=json))


@app.command
def duplicates(*, tenant: Tenant = None, limit: int = 20, json: Json = False, data: Data = None) -> None:
    """List contacts that may be one person, with the reasons."""
    with running(data) as configured:
        from services import office

        run(office.show_duplicates(configured, tenant=tenant, limit=limit, as_json=json))


@app.command
def strength(
    who: Annotated[str, Parameter(help="Part of a name or handle, or the contact's id.")],
    /,
    *,
    since: Annotated[datetime | None, Parameter(help="What changed since then, such as 2026-05-01 (UTC).")] = None,
    tenant: Tenant = None,
    json: Json = False,
    data: Data = None,
) -> None:
    """Explain a relationship's strength: its parts, what weighs most in each, and what changed."""
    with running(data) as configured:
        from services import office

        run(office.explain_strength(configured, who, since=since, tenant=tenant, as_json=json))


@app.command
def nudges(*, tenant: Tenant = None, json: Json = False, data: Data = None) -> None:
    """List what is worth doing now, with reasons."""
    with running(data) as configured:
        from services import office

        run(office.show_nudges(configured, tenant=tenant, as_json=json))


@app.command(name="import")
def import_(
    file: Path | None = None,
    /,
    *,
    tenant: Tenant = None,
    dry_run: Annotated[bool, Parameter(negative="", help="Read it and show what would be recorded.")] = False,
    start: Annotated[UUID | None, Parameter(help="Record a dry run, answer for people who wait, or go on.")] = None,
    undo: Annotated[UUID | None, Parameter(help="Take back all that this import recorded.")] = None,
    us: Annotated[tuple[str, ...], Parameter(negative="", help="An address of ours. Asked once, remembered.")] = (),
    unsure: Annotated[
        Literal["business", "private", "wait"],
        Parameter(help="What becomes of people who are neither business nor private."),
    ] = "wait",
    private: Annotated[tuple[str, ...], Parameter(negative="", help="A private person: never recorded.")] = (),
    business: Annotated[tuple[str, ...], Parameter(negative="", help="A person to be recorded.")] = (),
    json: Json = False,
    data: Data = None,
) -> int:
    """Bring a file: read, its people sorted, recorded row by row. LinkedIn, mbox, ICS, our own CSV and NDJSON."""
    if sum(given is not None for given in (file, start, undo)) != 1:
        print("Name a file, or --start or --undo with an import's id.", file=sys.stderr)
        return 2
    with running(data) as configured:
        from services import importing

        quietly(configured)
        said = importing.Said(us, private, business, unsure)
        if undo is not None:
            return run(importing.undo(configured, undo, tenant=tenant, as_json=json))
        if start is not None:
            return run(importing.start(configured, start, tenant=tenant, said=said, as_json=json))
        assert file is not None  # noqa: S101 - one of the three was given
        bringing = importing.import_file(configured, file, tenant=tenant, dry_run=dry_run, said=said, as_json=json)
        return run(bringing)


@app.command(name="imports")
def imports_(*, tenant: Tenant = None, json: Json = False, data: Data = None) -> None:
    """List the files that were brought, and what became of them."""
    with running(data) as configured:
        from services import importing

        run(importing.show_imports(configured, tenant=tenant, as_json=json))


@app.command
def appointments(
    *,
    to_confirm: Annotated[
        bool, Parameter(negative="", help="Only those that are over and nobody answered for.")
    ] = False,
    tenant: Tenant = None,
    json: Json = False,
    data: Data = None,
) -> None:
    """List the meetings to come, and ask about those that are over."""
    with running(data) as configured:
        from services import office

        run(office.show_appointments(configured, tenant=tenant, to_confirm=to_confirm, as_json=json))


@app.command
def gatherings(
    *,
    all_: Annotated[bool, Parameter(name="--all", negative="", help="Those that are over or called off too.")] = False,
    tenant: Tenant = None,
    json: Json = False,
    data: Data = None,
) -> None:
    """List the gatherings, when each is next, and the addresses of their public pages."""
    with running(data) as configured:
        from services import office

        run(office.show_gatherings(configured, tenant=tenant, every=all_, as_json=json))


@app.command
def evaluate(
    *datasets: str,
    columns: Annotated[str | None, Parameter(help="Of a file: time,from,to[,kind] in the order it has them.")] = None,
    epoch: Annotated[datetime | None, Parameter(help="When the time 0 of a file was; else seconds since 1970.")] = None,
    kind: Annotated[str, Parameter(help="What the contacts of a file are where it has no such column.")] = "email",
    split: Annotated[Literal["time", "events"] | None, Parameter(help="Cut by time, or by events.")] = None,
    days: Annotated[float | None, Parameter(help="How far to look ahead; else by the length of the set.")] = None,
    limit: Annotated[int | None, Parameter(help="Only the first so many contacts.")] = None,
    sets: Annotated[Path, Parameter(help="Where the sets known by name lie.")] = Path("../shared/data"),
    json: Annotated[Path | None, Parameter(help="Write all figures there too.")] = None,
    data: Data = None,
) -> int:
    """How well the outlook foretells contact, beside simpler guesses, on sets of contacts or a file of your own."""
    if not datasets:
        print(
            "Name a set (copenhagen, email-Eu-core, CollegeMsg, InVS15, SFHH, sigcomm2009) or a file.", file=sys.stderr
        )
        return 2
    try:
        from services.evaluation import command
    except ModuleNotFoundError as absent:
        print(f"{(absent.name or '').partition('.')[0]} is missing: make setup installs it.", file=sys.stderr)
        return 1
    asked = command.Asked(
        datasets=datasets,
        columns=columns,
        epoch=epoch,
        kind=kind,
        split=split,
        days=days,
        limit=limit,
        folder=sets,
        json=json,
    )
    given = command.read(asked)
    with running(data) as configured:
        quietly(configured)
        return command.run(configured, asked, given)


@app.command
def rebuild(projection: str, /, *, tenant: Tenant = None, data: Data = None) -> None:
    """Make a projection anew beside the live one: contacts, timeline, network, relationships, nudges, referrals,
    appointments or gatherings."""
    with running(data) as configured:
        from services import office

        quietly(configured)
        run(office.rebuild(configured, projection=projection, tenant=tenant))


@app.command
def model(*, tenant: Tenant = None, data: Data = None) -> None:
    """Print the model of strength as JSON: what each kind is worth, how fast it fades, what the parts are worth."""
    with running(data) as configured:
        from services import modelling

        run(modelling.show(configured, tenant=tenant))


@app.command
def replay(
    *,
    weights: Annotated[Path, Parameter(help="A model as JSON; `rapport model` prints the one in force.")],
    tenant: Tenant = None,
    switch: Annotated[bool, Parameter(negative="", help="Use it from now on.")] = False,
    json: Json = False,
    data: Data = None,
) -> None:
    """Weigh all that happened by another model: who moves, which stages and which nudges would differ."""
    with running(data) as configured:
        from services import modelling

        quietly(configured)
        replaying = modelling.replay(configured, weights=weights, tenant=tenant, switch=switch, as_json=json)
        run(replaying)


@app.command
def verify(*, tenant: Tenant = None, json: Json = False, data: Data = None) -> int:
    """Recompute the hash chain. Exit code 1 and the place when something was changed."""
    with running(data) as configured:
        from services import office

        return run(office.verify_all(configured, tenant=tenant, as_json=json))


@app.command(name="migrate")
def migrate_(
    *,
    set_password: Annotated[
        bool,
        Parameter(negative="", help="Give rapport_app and rapport_writer the passwords they have in their URLs."),
    ] = False,
    data: Data = None,
) -> None:
    """Create the database where it is missing and bring it up to date."""
    from infra import migrate

    with running(data) as configured:
        migrate.up(configured.admin_url)
        if set_password:
            from infra import roles

            run(roles.set_password(configured.admin_url, configured.database_url))
            run(roles.set_password(configured.admin_url, configured.writer_url, role="rapport_writer"))
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
        from infra import settings
        from services.workers import main as process

        os.environ.update(settings.environment(configured))
        process.run()


@hooks.command
def listen(
    *,
    tenant: Tenant = None,
    port: Annotated[int, Parameter(help="Where to listen on this machine.")] = 8099,
    secret: Annotated[tuple[str, ...], Parameter(help="Of an endpoint that leads here; then none is made.")] = (),
    types: Annotated[tuple[str, ...], Parameter(help="Event types, such as referral.*; all when left out.")] = (),
    data: Data = None,
) -> None:
    """Receive webhooks on this machine: each is verified and printed."""
    from services import webhooks

    if secret:
        run(webhooks.listen(None, tenant=tenant, port=port, secrets=secret, types=types))
        return
    with running(data) as configured:
        quietly(configured)
        run(webhooks.listen(configured, tenant=tenant, port=port, secrets=(), types=types))


@hooks.command
def endpoints(*, tenant: Tenant = None, json: Json = False, data: Data = None) -> None:
    """List where webhooks go, and how sending goes."""
    with running(data) as configured:
        from services import webhooks

        run(webhooks.show_endpoints(configured, tenant=tenant, as_json=json))


@hooks.command
def deliveries(*, tenant: Tenant = None, limit: int = 20, json: Json = False, data: Data = None) -> None:
    """List the webhooks sent last, and what became of each."""
    with running(data) as configured:
        from services import webhooks

        run(webhooks.show_deliveries(configured, tenant=tenant, limit=limit, as_json=json))


@hooks.command
def sources(*, tenant: Tenant = None, json: Json = False, data: Data = None) -> None:
    """List who sends webhooks in, and how much waits in quarantine."""
    with running(data) as configured:
        from services import webhooks

        run(webhooks.show_sources(configured, tenant=tenant, as_json=json))


@hooks.command
def types() -> None:
    """Print every event type with an example of its data, as Markdown."""
    from services.api import webhook_types

    print(webhook_types.markdown(), end="")


@hooks.command
def trigger(event_type: str, /, *, tenant: Tenant = None, data: Data = None) -> int:
    """Send an example of an event type, marked as a test, to the endpoints that ask for it."""
    with running(data) as configured:
        from services import webhooks

        return run(webhooks.trigger(configured, event_type, tenant=tenant))


@app.command
def status(*, json: Json = False, data: Data = None) -> None:
    """Say what runs, and where."""
    from infra import settings
    from services import status

    status.show(status.find(settings.typed(environ(data))), as_json=json)


@app.command
def doctor(*, port: Port = None, data: Data = None) -> int:
    """Find out what is wrong with this installation, and say what to do."""
    from services import doctor

    return doctor.examine(environ(data, port))


if __name__ == "__main__":
    main()
