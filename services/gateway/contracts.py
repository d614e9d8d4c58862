"""Which service takes which command, as the services' own contracts say. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
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
        self._root = _Node()
        for owner, taken in offered.items():
            for operation in taken:
                self._root.at(operation.path).takers.setdefault(operation.method, owner)

    def owner(self, method: str, path: str) -> str | None:
        """The service that takes this."""
        return next((node.takers[method] for node in self._root.find(path) if method in node.takers), None)

    def methods(self, path: str) -> set[str]:
        """What may be done at this address."""
        return {method for node in self._root.find(path) for method in node.takers}


@dataclass
class _Node:
    """An address, and those below it by their next word. A parameter stands under the empty word."""

    takers: dict[str, str] = field(default_factory=dict)
    below: dict[str, "_Node"] = field(default_factory=dict)

    def at(self, template: str) -> "_Node":
        node = self
        for part in template[1:].split("/"):
            node = node.below.setdefault("" if part.startswith("{") else part, _Node())
        return node

    def find(self, path: str) -> Iterable["_Node"]:
        """The nodes that a path leads to, words before parameters."""
        found = [self]
        for part in path[1:].split("/"):
            found = [node.below[word] for node in found for word in (part, "") if part and word in node.below]
        return found
