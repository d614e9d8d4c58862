"""Which service takes which command, as the services' own contracts say. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

Document = Mapping[str, Any]
"""An OpenAPI description, as a service publishes it."""

COMMAND_METHODS = frozenset({"DELETE", "PATCH", "POST", "PUT"})
METHODS = COMMAND_METHODS | {"GET", "HEAD", "OPTIONS"}
PUBLIC = "/v1/"


class Operation(NamedTuple):
    method: str
    path: str
    """With parameters in braces, as in `/v1/communities/{community}`."""
    details: dict[str, Any]


def operations(contract: Document) -> Iterator[Operation]:
    for path, item in contract.get("paths", {}).items():
        for method, details in item.items():
            if method.upper() in METHODS:
                yield Operation(method.upper(), path, details)


def commands(contract: Document) -> Iterator[Operation]:
    """What the public door passes on: what changes something, and is meant to be public."""
    return (o for o in operations(contract) if o.method in COMMAND_METHODS and o.path.startswith(PUBLIC))


class Routes:
    """Who takes what. Where two claim the same, the first named has it."""

    def __init__(self, offered: Mapping[str, Iterable[Operation]]) -> None:
        takers: dict[tuple[str, ...], dict[str, str]] = defaultdict(dict)
        for owner, operations_of_it in offered.items():
            for operation in operations_of_it:
                takers[_segments(operation.path)].setdefault(operation.method, owner)
        self._by_length: dict[int, list[tuple[tuple[str, ...], dict[str, str]]]] = defaultdict(list)
        for segments in sorted(takers, reverse=True):  # a word before a parameter, which is "" here
            self._by_length[len(segments)].append((segments, takers[segments]))

    def owner(self, method: str, path: str) -> str | None:
        """The service that takes this."""
        return next((takers[method] for takers in self._takers(path) if method in takers), None)

    def methods(self, path: str) -> set[str]:
        """What may be done at this address."""
        return {method for takers in self._takers(path) for method in takers}

    def _takers(self, path: str) -> Iterator[dict[str, str]]:
        given = path[1:].split("/")
        for segments, takers in self._by_length.get(len(given), ()):
            if all(part and wanted in ("", part) for wanted, part in zip(segments, given, strict=True)):
                yield takers


def _segments(template: str) -> tuple[str, ...]:
    return tuple("" if part.startswith("{") else part for part in template[1:].split("/"))
