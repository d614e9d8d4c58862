"""Where `metrics` keeps what it folds: a build's collections, and the pointer to the build that is read."""

from typing import NamedTuple

DATABASE = "metrics"
BUILDS = "builds"
CURRENT = "current"
"""The id of the pointer in `builds`: `{_id: "current", build: 1}`."""
NEXT = "next"
"""The id of what a rebuild leaves in `builds` until it is done: `{_id: "next", build: 2, beside: 1}`."""


class Build(NamedTuple):
    """One fold of all facts; a rebuild writes the next one beside it."""

    number: int

    @property
    def records(self) -> str:
        """`{_id, kind, scope, partition, seen: {topic: version}, facts: [...], value: {...}}`

        A fact is a line: its topic and version, when it was recorded, its type and its JSON, as in
        `membership@41 2019-01-31T09:30:00+00:00 praxis.member-joined.v1 {"person_id": …}`; its stream is
        topic/scope.
        """
        return f"records_{self.number}"

    @property
    def sums(self) -> str:
        """`{_id, scope, measure, key, year, partition, days: {"2019-01-31": delta}}`"""
        return f"sums_{self.number}"

    @property
    def heads(self) -> str:
        """`{_id: stream, head, missing, given_up, partition}`"""
        return f"heads_{self.number}"

    @property
    def partitions(self) -> str:
        """`{_id: partition number, next: {topic: offset}, log: {cluster, firsts: {topic: milliseconds}}}`

        Closed, it has `closed_at` in the place of `next`.
        """
        return f"partitions_{self.number}"

    @property
    def collections(self) -> tuple[str, ...]:
        return self.records, self.sums, self.heads, self.partitions


FIRST = Build(1)


def scope_of(kind: str, id: str) -> str:
    """What records and sums belong to: the key of the thing's streams."""
    return f"{kind}.{id}"
