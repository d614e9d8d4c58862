"""What a rule is made of: commands, the state they are decided from, and deciders that bind the two. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, ClassVar, Generic, NamedTuple, Self, TypeVar, cast

from pydantic import BaseModel, ConfigDict

from shared.events.fact import Fact, Stream


class Command(BaseModel):
    """What somebody wants, in the imperative."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class State(BaseModel):
    """One thing as its facts so far leave it: a document of `collection` under `key`.

    `version` is that of the last fact about the thing itself (its ETag); 0 where there is none.
    """

    model_config = ConfigDict(frozen=True)

    collection: ClassVar[str]
    key: str
    version: int = 0

    @property
    def is_empty(self) -> bool:
        """It holds nothing any more: its document is deleted."""
        return False

    def stream(self) -> Stream | None:
        """The stream whose head is written by every transaction that decides from this; None if it is not ours."""
        return None

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return {"_id": self.key, **self.model_dump(mode="json", exclude={"key"})}

    @classmethod
    def restored(cls, document: dict[str, Any]) -> Self:
        """As it was stored."""
        return cls.model_validate({**document, "key": document["_id"]})


class Kept(BaseModel):
    """What a service keeps to itself (names, e-mails, words): it changes the state and is no fact."""

    model_config = ConfigDict(frozen=True)


class On(NamedTuple):
    """A fact for another stream than the command's own."""

    stream: Stream
    fact: Fact


class Forgotten(NamedTuple):
    """Receipts whose answer says one of these are deleted: what their commands said could be found by trying."""

    field: str
    values: tuple[str, ...]


Change = Fact | Kept | On | Forgotten

Key = tuple[str | tuple[str, ...] | None, ...]
"""The thing's id, then the ids that its command names: None for one that it leaves out, a tuple for several."""

S = TypeVar("S")
C = TypeVar("C", bound=Command)


@dataclass(frozen=True)
class Decider(Generic[C, S]):
    """The rules about one kind of thing.

    A situation is a dataclass of the states that a command is decided from, the thing itself first. `initial`
    gives it for a key as if nothing were on record; whoever runs the decider puts in what is.
    """

    stream: Callable[..., Stream]
    """The stream of the thing with this key."""
    initial: Callable[..., S]
    decide: Callable[[C, S], Sequence[Change]]
    """The changes that follow, or a refusal raised; an empty sequence where all is as commanded already."""
    evolve: Callable[[S, Any], S]
    """The situation after a change: a fact or what is kept, of those that `decide` gives."""
    answer: Callable[[S], dict[str, Any]] = lambda situation: {}
    """What the caller is told of the outcome beside the positions."""
    following: Callable[[S], S] = lambda situation: situation
    """The situation with states that only those on record name, as if new; the same object where none is missing."""


def states(situation: Any) -> Iterator[State]:
    """The states of a situation, the thing itself first. A field holds one, several in a tuple, or none."""
    kind: Any = type(situation)
    for name in _fields(kind):
        for value in _each(getattr(situation, name)):
            if isinstance(value, State):
                yield value


def filled(situation: S, found: Callable[[State], State]) -> S:
    """The situation with what is on record in the place of each of its states."""
    kind: Any = type(situation)
    values: dict[str, Any] = {}
    for name in _fields(kind):
        value = getattr(situation, name)
        if isinstance(value, State):
            value = found(value)
        elif type(value) is tuple:
            value = tuple(found(one) if isinstance(one, State) else one for one in value)
        values[name] = value
    return cast(S, kind(**values))


def subject(situation: Any) -> State:
    """The thing itself."""
    return next(states(situation))


@lru_cache
def _fields(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _each(value: Any) -> Sequence[Any]:
    return value if type(value) is tuple else (value,)
