"""What every service's FastAPI application has."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI

from shared.http import health, middleware, problems


def application(
    title: str, lifespan: Callable[[FastAPI], AbstractAsyncContextManager[Mapping[str, Any]]], **options: Any
) -> FastAPI:
    """An application with traces, a limit on bodies, problems and health. `lifespan` yields `checks` in its state."""
    # the gateway serves the pages of documentation, without asking anybody elsewhere
    app = FastAPI(title=title, version="1", lifespan=lifespan, docs_url=None, redoc_url=None, **options)
    problems.install(app)
    app.include_router(health.router)
    app.add_middleware(middleware.BodyLimit)
    app.add_middleware(middleware.Trace)
    return app
