"""Looking back: what the parameters `at` and `true_at` ask for."""

from infra.context import Context
from infra.tenants import Tenant
from infra.viewpoints import Viewpoint
from infra.views import past
from services.api.parameters import instant


async def looking(context: Context, tenant: Tenant, at: str | None, true_at: str | None = None) -> Viewpoint | None:
    """From where to look; None for now. Raises Invalid."""
    return await past.viewpoint(context, tenant, at=instant(at, field="at"), true_at=instant(true_at, field="true_at"))
