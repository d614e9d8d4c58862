"""Commands of the convenings service over HTTP: an endpoint translates, and nothing else."""

from fastapi import APIRouter

from services.convenings.api import convenings, feedback, innovations, participation

router = APIRouter(prefix="/v1")
for part in (convenings, participation, feedback, innovations):
    router.include_router(part.router)
