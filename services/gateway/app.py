"""The composition root of the gateway: the only public door."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from services.gateway import commands_api, docs_api, page, views_api
from services.gateway.contracts import METHODS
from services.gateway.courier import Courier, http_client
from services.gateway.front import Front
from services.gateway.holdings import Views
from services.gateway.reader import Contracts
from services.gateway.replicas import Service
from services.gateway.settings import Settings
from shared.http.app import application
from shared.mongo import connect
from shared.running import Tasks, mongo_check


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
    settings = Settings()
    services = [
        Service("membership", tuple(settings.membership_urls)),
        Service("convenings", tuple(settings.convenings_urls)),
    ]
    async with connect(settings.mongo) as client, http_client(settings.connect_timeout) as http, Tasks() as tasks:
        views = Views(client, settings.view_wait)
        contracts = Contracts(http, services, app.openapi(), settings.contracts_every)
        tasks.start("contracts", contracts.run())
        yield {
            "services": {service.name: service for service in services},
            "contracts": contracts,
            "courier": Courier(http, settings.connect_timeout, settings.command_timeout),
            "views": views,
            "achievements": Front(views),
            "checks": {
                "mongo": mongo_check(client),
                **{service.name: contracts.check(service) for service in services},
            },
        }


app = application(
    "Praxis",
    lifespan,
    summary="Runs a network's communities of practice and shows the value they produce.",
    openapi_url=None,  # docs_api publishes it, with the services' commands
)
app.router.routes.append(commands_api.Commands())
app.include_router(views_api.router)
app.include_router(page.router)
app.include_router(docs_api.router)
app.mount("/docs/assets", docs_api.swagger_ui)
app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))
app.add_route("/{path:path}", commands_api.nothing_here, sorted(METHODS), include_in_schema=False)
