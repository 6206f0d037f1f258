"""What the commands about the model of strength do: show it, try another, change to it."""

import asyncio
from pathlib import Path
from uuid import UUID

import msgspec
from rich.console import Console

from domain.errors import Invalid
from domain.model import Model
from infra import commands, projector
from infra.context import Context
from infra.settings import Settings
from infra.stored_events import Origin
from infra.tenants import Tenant
from infra.viewpoints import Viewpoint
from infra.views import model, past
from infra.views.model import PreviewView
from services import printing
from services.office import bar, chosen, opened


async def show(configured: Settings, *, tenant: UUID | None) -> None:
    """The model as JSON, to be edited and tried."""
    async with opened(configured) as context:
        found = await model.in_force(context, await chosen(context, tenant))
    print(msgspec.json.format(msgspec.json.encode(found.model), indent=2).decode())


async def replay(configured: Settings, *, weights: Path, tenant: UUID | None, switch: bool, as_json: bool) -> None:
    """What another model would have made of all that happened; with `switch`, it is the model from now on.

    Raises Invalid for what is no model.
    """
    wanted = read(weights)
    async with opened(configured) as context:
        business = await chosen(context, tenant)
        found = await _tried(context, business, wanted)
        if as_json:
            print(msgspec.json.encode(found).decode())
        else:
            printing.preview(Console(), found, business.time_zone)
        if switch:
            await commands.change_model(context, business, wanted, origin=Origin(actor="operator", source="cli"))
            await _until_in_use(context, business)


def read(file: Path) -> Model:
    """Raises Invalid with the place."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Model)
    except OSError as error:
        raise Invalid(f"{file} cannot be read: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise Invalid(f"{file} is no model: {error}") from error


async def _tried(context: Context, business: Tenant, wanted: Model) -> PreviewView:
    """Works beside the workers, and without any."""
    seen = await model.begun(context, business, wanted)
    with bar("replaying") as progress:
        task = progress.add_task(business.name, total=max(1, seen.position))
        while (done := await _read_to(context, business, seen)) < seen.position:
            progress.update(task, completed=done)
            if not await projector.advance(context):
                await asyncio.sleep(0.05)
        progress.update(task, completed=max(1, seen.position))
    return await model.preview(context, business, wanted, limit=20)


async def _read_to(context: Context, business: Tenant, seen: Viewpoint) -> int:
    return await past.read_to(context, business, seen, model.PROCESSES)


async def _until_in_use(context: Context, business: Tenant) -> None:
    with bar("switching") as progress:
        task = progress.add_task(business.name, total=None)
        while not (now := await model.in_force(context, business)).in_use:
            if now.progress is not None:
                progress.update(task, total=now.progress.of, completed=now.progress.read)
            if not await projector.advance(context):
                await asyncio.sleep(0.05)
    print("This is the model now.")
