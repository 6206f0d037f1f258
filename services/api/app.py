"""The API as an application."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar, Request
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.middleware import DefineMiddleware

from domain.errors import Refused
from domain.events import UnknownEvent
from infra import logs, settings
from infra.context import Context, open_context
from infra.database import GONE
from infra.event_log import Unavailable
from infra.projector import Behind
from infra.settings import Settings
from infra.stored_events import Origin
from infra.tenants import Tenant
from services.api import openapi, problems
from services.api.appointments import AppointmentController
from services.api.channels import ChannelController
from services.api.contacts import ContactController
from services.api.events import EventController
from services.api.gatherings import GatheringController
from services.api.guests import TEMPLATES, GuestController
from services.api.health import HealthController
from services.api.imports import ImportController
from services.api.inbox import InboxController
from services.api.limits import limited
from services.api.merges import MergeController
from services.api.model import ModelController
from services.api.network import NetworkController
from services.api.nudges import NudgeController, PolicyController
from services.api.referrals import IntroductionController, ReferralController, TieController
from services.api.requests import MAX_BODY, Caller, KeyAuthentication, StrictRequest, screen, traced
from services.api.sources import MessageController, SourceController
from services.api.touchpoints import TouchpointController
from services.api.webhooks import DeliveryController, WebhookController

OPEN_PATHS = ["^/schema", "^/health/", "^/metrics$", "^/v1/in/", "^/g/"]


def create_app(configured: Settings | None = None) -> Litestar:
    """The application over these settings, by default those of the environment."""
    known = configured or settings.load(dict(os.environ))
    logs.configure(known.log_level)

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with open_context(
            database_url=known.database_url,
            writer_url=known.writer_url,
            redis_url=known.redis_url,
            master=known.master_key,
        ) as context:
            app.state["context"] = context
            yield

    app = Litestar(
        route_handlers=[
            TouchpointController,
            ContactController,
            MergeController,
            AppointmentController,
            GatheringController,
            ChannelController,
            NetworkController,
            NudgeController,
            PolicyController,
            ModelController,
            ReferralController,
            IntroductionController,
            TieController,
            ImportController,
            EventController,
            WebhookController,
            DeliveryController,
            SourceController,
            MessageController,
            InboxController,
            GuestController,
            HealthController,
            openapi.assets(),
        ],
        lifespan=[lifespan],
        dependencies={
            "context": Provide(context_of, sync_to_thread=False),
            "tenant": Provide(tenant_of, sync_to_thread=False),
            "origin": Provide(origin_of, sync_to_thread=False),
            "settings": Provide(lambda: known, sync_to_thread=False),
        },
        middleware=[DefineMiddleware(KeyAuthentication, exclude=OPEN_PATHS)],
        before_request=screen,
        exception_handlers={
            HTTPException: problems.on_http_error,
            Refused: problems.on_refusal,
            Behind: problems.on_behind,
            UnknownEvent: problems.on_unknown_event,
            Unavailable: problems.on_unavailable,
            **dict.fromkeys(GONE, problems.on_unavailable),
            Exception: problems.on_fault,
        },
        request_class=StrictRequest,
        request_max_body_size=MAX_BODY,
        openapi_config=openapi.config(),
        template_config=TEMPLATES,
        logging_config=None,
    )
    openapi.complete(app)
    app.asgi_handler = traced(limited(app.asgi_handler))
    return app


def context_of(request: Request[Caller, str, State]) -> Context:
    context: Context = request.app.state["context"]
    return context


def tenant_of(request: Request[Caller, str, State]) -> Tenant:
    return request.user.tenant


def origin_of(request: Request[Caller, str, State]) -> Origin:
    return Origin(actor=f"key:{request.user.key_id}", source="api", correlation=request.scope["state"]["request_id"])
