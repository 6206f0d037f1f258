"""A large file: every row accounted for, taken back as a whole, brought again; and another business's beside it.

IMPORT_ROWS=100000 makes it as large as files may well be; the default takes less than a minute on a quiet machine.
"""

import asyncio
import os

import pytest
from prometheus_client import REGISTRY

from infra.context import Context
from infra.imports import whole
from tests.infra.imports.bringing import brought, looked, meetings, outcomes, undone
from tests.infra.quiet import Shop, touch
from tests.infra.test_rebuild import rebuild

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROWS = int(os.environ.get("IMPORT_ROWS", "4000"))
PEOPLE = 1_000
STUMBLED = "rapport_import_errors_total"


async def test_a_large_file_is_brought_taken_back_and_brought_again_beside_a_rival(
    context: Context, shop: Shop, rival: Shop
):
    content, stumbled = meetings(ROWS, people=PEOPLE), REGISTRY.get_sample_value(STUMBLED)
    await shop.tell(touch("regular"))
    found, theirs = await asyncio.gather(brought(shop, content), brought(rival, meetings(1_000, people=PEOPLE)))
    await looked(context)
    assert await counted(shop, found) == {"recorded": ROWS}
    assert await shown(shop) == (ROWS + 1, PEOPLE + 1)
    their_views = await rival.everything()

    found = await undone(shop, found)
    await looked(context)
    assert await counted(shop, found) == {"undone": ROWS}
    assert await shown(shop) == (1, 1)
    assert await shop.value("SELECT count(*) FROM import_contact WHERE NOT looked_at") == 0
    assert await rival.everything() == their_views
    emptied = await shop.everything()
    await rebuild(context, shop)
    assert await shop.everything() == emptied

    again = await brought(shop, content)
    await looked(context)
    assert await counted(shop, again) == {"recorded": ROWS}
    assert await shown(shop) == (ROWS + 1, PEOPLE + 1)
    assert await counted(rival, theirs) == {"recorded": 1_000}
    assert await shop.rows("SELECT FROM parked_event") == []
    assert REGISTRY.get_sample_value(STUMBLED) == stumbled


async def counted(shop: Shop, found: whole.Import) -> dict[str, int]:
    """How many rows became what, in the account as in the import's own numbers."""
    return dict(await outcomes(shop, await whole.load(shop.context, shop.tenant, found.import_id)))


async def shown(shop: Shop) -> tuple[int, int]:
    """Touches that count, and people in lists."""
    touches = "SELECT count(*) FROM timeline WHERE build = live_build('timeline') AND struck_at_position IS NULL"
    people = "SELECT count(*) FROM relationship WHERE build = live_build('relationships')"
    return await shop.value(touches), await shop.value(people)
