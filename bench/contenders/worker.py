"""python -m bench.contenders.worker: the metrics processor, all of it, folding only the few figures."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from bench import figures
from services.metrics.app import Processor
from services.metrics.settings import Settings
from shared import logging, running
from shared.http.app import application
from shared.reading.sink import Sink
from shared.running import Tasks
from shared.views.builds import Build


class FiguresProcessor(Processor):
    async def _prepare(self) -> None:
        await figures.prepare(self.db)
        await super()._prepare()

    def _sink(self, build: Build) -> Sink:
        return figures.sink(self.settings, self.client, self.db)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
    processor = FiguresProcessor(Settings())
    async with Tasks() as tasks:
        tasks.start("processor", processor.run())
        yield {"checks": {"stream": processor.check}}
    await processor.client.close()


if __name__ == "__main__":
    settings = Settings()
    logging.configure("worker")
    running.serve(application("Figures", lifespan), settings.host, settings.port)
