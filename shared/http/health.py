"""Liveness, readiness that names what it waits for, and Prometheus metrics."""

from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

Check = Callable[[], Awaitable[str | None]]
"""What is waited for, in words; None if nothing is."""

router = APIRouter(include_in_schema=False)


class Readiness(BaseModel):
    ready: bool
    waiting_for: list[str]


@router.get("/health/live")
async def live() -> dict[str, bool]:
    return {"live": True}


@router.get("/health/ready")
async def ready(request: Request, response: Response) -> Readiness:
    checks: Mapping[str, Check] = request.state.checks
    waiting = [f"{name}: {reason}" for name, check in checks.items() if (reason := await check()) is not None]
    if waiting:
        response.status_code = 503
    return Readiness(ready=not waiting, waiting_for=waiting)


@router.get("/metrics")
async def metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
