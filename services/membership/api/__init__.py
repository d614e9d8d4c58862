"""Commands of the membership service over HTTP: an endpoint translates, and nothing else."""

from fastapi import APIRouter

from services.membership.api import communities, organisations, people, programmes

router = APIRouter(prefix="/v1")
for part in (organisations, programmes, people, communities):
    router.include_router(part.router)
