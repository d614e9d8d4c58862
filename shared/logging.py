"""Structured logs: JSON lines, `noun.verb` with fields, each with the trace id of what it belongs to."""

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

from shared import telemetry


def configure(service: str, level: str = "INFO", to: TextIO | None = None) -> None:
    """Make every line of this process, the libraries' too, one JSON object on standard output, or where it says."""

    def add_service(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_service,
        _add_trace,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(to or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("aiokafka", "pymongo", "httpx", "faust", "mode", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _add_trace(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    if "trace_id" not in event and (traceparent := telemetry.current_or_none()):
        event["trace_id"] = telemetry.trace_id(traceparent)
    return event
