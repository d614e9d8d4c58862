"""The four services as child processes, and what they are told by their environment."""

import http.client
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local.processes import Awaited, Child, Listens
from deploy.local.settings import REPOSITORY

DEADLINE = 90.0  # seconds from start to ready
NAMES = ("membership", "convenings", "metrics", "gateway")


def service(name: str, instance: str, home: Path, port: int, environment: Mapping[str, str]) -> Child:
    """One process of a service; `instance` is its name where several of it run."""
    return Child(
        name=instance,
        home=home,
        command=(sys.executable, "-m", f"services.{name}"),
        listens=(Listens(port, f"PRAXIS_{name.upper()}_PORT"),),
        environment={
            "PRAXIS_HOST": "127.0.0.1",
            "PRAXIS_PORT": str(port),
            "PYTHONPATH": os.pathsep.join(filter(None, (str(REPOSITORY), os.environ.get("PYTHONPATH")))),
            "PYTHONUNBUFFERED": "1",
            **environment,
        },
        folder=REPOSITORY,
    )


def addresses(ports: Sequence[int]) -> str:
    """As the gateway's settings want them: a JSON list."""
    return json.dumps([f"http://127.0.0.1:{port}" for port in ports])


def awaited(child: Child, port: int) -> Awaited:
    return Awaited(child, lambda: waiting_for(port), DEADLINE)


def waiting_for(port: int) -> str | None:
    """What the service on this port waits for, in its own words; nothing if it is ready."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2.0)
    try:
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        body = answer.read()
    except OSError:
        return f"waiting until it answers on port {port}"
    except http.client.HTTPException as error:
        return f"it answered /health/ready with {type(error).__name__}"
    finally:
        connection.close()
    if answer.status == 200:
        return None
    try:
        return "waiting for " + ", ".join(json.loads(body)["waiting_for"])
    except (ValueError, KeyError, TypeError):
        return f"/health/ready answered {answer.status}"
