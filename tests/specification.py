"""Given what is on record, when a command comes, then these facts follow, or it is refused. For rules, not for I/O.

def given(*changes: Fact | Kept) -> Specification[Join | Leave, Joining]:
    return specification(memberships, ("rehabilitation", ANNA), community=community(), person=person()).given(*changes)

given(member_joined()).when(Join(role=Role.CONVENOR, joined_on="2019-02")).then_refused(MembershipsOverlap)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import pytest

from shared.events.fact import Fact
from shared.refusals import Refusal
from shared.writing.decider import Change, Command, Decider, Kept

C = TypeVar("C", bound=Command)
S = TypeVar("S")
R = TypeVar("R", bound=Refusal)


def specification(decider: Decider[C, S], key: Sequence[Any], **known: Any) -> "Specification[C, S]":
    """The rules about the thing with this key; `known` are the states of its situation that are not as if new."""
    situation = decider.initial(*key)
    return Specification(decider, replace(situation, **known))  # type: ignore[type-var]  # situations are dataclasses


@dataclass(frozen=True)
class Specification(Generic[C, S]):
    decider: Decider[C, S]
    situation: S

    def given(self, *changes: Fact | Kept) -> "Specification[C, S]":
        """What is on record, as the changes that led to it."""
        situation = self.situation
        for change in changes:
            situation = self.decider.evolve(situation, change)
        return replace(self, situation=situation)

    def when(self, command: C) -> "Outcome[C, S]":
        return Outcome(self, command)


@dataclass(frozen=True)
class Outcome(Generic[C, S]):
    """What a command leads to; looked at by `then…`, which may be chained."""

    before: Specification[C, S]
    command: C

    def then(self, *facts: Change) -> "Outcome[C, S]":
        """Exactly these facts follow, in this order. What is kept is not compared here."""
        changes = self._changes()
        assert [change for change in changes if not isinstance(change, Kept)] == list(facts)
        return self

    def then_kept(self, *kept: Kept) -> "Outcome[C, S]":
        """Exactly this stays in the service."""
        assert [change for change in self._changes() if isinstance(change, Kept)] == list(kept)
        return self

    def then_unchanged(self) -> "Outcome[C, S]":
        """All was as commanded already."""
        assert self._changes() == []
        return self

    def then_answered(self, **answer: Any) -> "Outcome[C, S]":
        assert self.before.decider.answer(self.and_after().situation) == answer
        return self

    def then_refused(self, kind: type[R], *, field: str | None = None, saying: str = "") -> R:
        """It is refused as this kind, about this field, in a sentence that holds these words; gives the refusal."""
        with pytest.raises(kind) as raised:
            self._changes()
        refusal = raised.value
        assert type(refusal) is kind
        if field is not None:
            assert refusal.field == field
        assert saying in refusal.detail
        return refusal

    def and_after(self) -> Specification[C, S]:
        """The rules once the command is carried out, for what comes next."""
        return self.before.given(*(change for change in self._changes() if isinstance(change, Fact | Kept)))

    def _changes(self) -> list[Change]:
        return list(self.before.decider.decide(self.command, self.before.situation))
