"""Commands are answered, and refused only for what is on record."""

from collections import defaultdict
from collections.abc import Iterator

from tests.faults.anomaly import Anomaly, Kind
from tests.faults.history import LOAD_BEGAN, History, Line, how_often
from tests.faults.recompute import named

SHOWN = 50
"""Of so many commands that show something, some are read back, whatever the seed."""
EDITING = 50
"""With so many commands that edit what their client alone does, something is sent besides."""
RIGHTLY = {
    "again": (202, ""),
    "another body": (422, "key-reused"),
    "a stale ETag": (412, "changed-since"),
}
"""What is sent besides, and how it is answered: the status, and the kind of the problem."""
ENDING = ("left", "completed", "ended", "withdrawn")
"""How paths end by which something ends: it may, whatever became of the person."""


def answered(history: History) -> Iterator[Anomaly]:
    """Once all runs again, every command is answered that its client did not leave alone; and there were some."""
    for command in history.commands:
        if command.get("given_up"):
            what = f"was never answered although all had run again for long: {how_often(command['statuses'])}"
            yield Anomaly(Kind.STUCK, _where(command), what)
    acknowledged = history.acknowledged()
    if not acknowledged:
        yield Anomaly(Kind.STUCK, "the load", "not one command was acknowledged")
    shown = sum(bool(command["call"].get("shows")) for command in acknowledged)
    if shown >= SHOWN and not history.reads:
        yield Anomaly(Kind.STUCK, "the load", f"none of {shown} commands that show something was read back")
    reads = {read.get("of") for read in history.reads}
    for command in acknowledged:
        if command.get("read_back") and command["key"] not in reads:
            yield Anomaly(Kind.STUCK, _where(command), "was to be read back, and what came of that is not noted")


def probed(history: History) -> Iterator[Anomaly]:
    """What came before under its key is answered as it was; another body under a key, and what is based on a stale
    ETag, is refused.
    """
    editing = sum(bool(command["call"].get("edits")) for command in history.acknowledged())
    if editing >= EDITING and not history.probes:
        yield Anomaly(Kind.STUCK, "the load", f"beside {editing} commands that edit something, nothing was sent")
    first = {command["key"]: command["positions"] for command in history.acknowledged() if "key" in command}
    for probe in history.probes:
        where, status, answer = f"{_where(probe)}, {probe['how']}", probe["status"], probe["answer"]
        expected, kind = RIGHTLY[probe["how"]]
        if probe.get("given_up"):
            yield Anomaly(Kind.STUCK, where, f"was never answered: {how_often(probe['statuses'])}")
        elif status == 202 and status != expected:
            yield Anomaly(Kind.ACCEPTED, where, f"was acknowledged with {answer.get('positions')}, not refused")
        elif (status, _named(answer)) != (expected, kind):
            was = Kind.FAILED if status == 500 else Kind.REFUSED
            yield Anomaly(was, where, f"was answered {status} {_named(answer)}: {answer.get('detail', '')}"[:400])
        elif probe["how"] == "again" and answer.get("positions") != first[probe["of"]]:
            what = f"was answered with {answer.get('positions')}, and with {first[probe['of']]} before"
            yield Anomaly(Kind.MISTOLD, where, what)


def refused(history: History) -> Iterator[Anomaly]:
    """A refusal is of a kind that the load may meet, and nothing that was acknowledged before speaks against it."""
    told = _Told(history)
    for command in history.commands:
        if "refusal" in command and (false := told.against(command)):
            what = f"was refused as {_kind(command) or 'nothing that is known'}, {false}"
            yield Anomaly(Kind.REFUSED, _where(command), f"{what}: {command['refusal'].get('detail', '')}"[:400])


class _Told:
    """What clients were told, and what is on record."""

    def __init__(self, history: History) -> None:
        self._events: defaultdict[str, list[Line]] = defaultdict(list)
        for event in history.events:
            self._events[named(event)].append(event)
        self._making: defaultdict[str, list[tuple[Line, Line]]] = defaultdict(list)
        for command in history.commands:
            for made in command["call"]["makes"]:
                self._making[named(made)].append((command, made))
        self._registered = {command["person"]: command["ended"] for command in history.commands if "person" in command}
        self._began = min((line["at"] for line in history.nemesis if line["what"] == LOAD_BEGAN), default=0.0)

    def against(self, command: Line) -> str | None:
        """Why a refusal is false; nothing if it is not."""
        call = command["call"]
        (stream, about), *_ = [(made["stream"], made["data"]) for made in call["makes"]] or [("", {})]
        match _kind(command):
            case "person-was-merged" | "person-was-erased" as kind:
                if call["path"].rpartition("/")[2] in ENDING:
                    return "and what had begun may end"
                return None if self._became(kind.replace("was-", ""), command) else "and nothing of that is on record"
            case "not-a-member":
                joined = self._before(command, "member-joined", stream, person_id=about["person_id"])
                return "and had joined" if joined else None
            case "already-left":
                if not self._on_record("member-left", stream, person_id=about["person_id"]):
                    return "and nobody left"
                membership = {name: about[name] for name in ("person_id", "role", "joined_on")}
                return self._stands(command, ("member-joined", "member-left"), stream, **membership)
            case "no-such-affiliation":
                which = {"affiliation_id": about["affiliation_id"]}
                return "and it had begun" if self._before(command, "affiliation-began", stream, **which) else None
            case "not-registered":
                which = {name: about[name] for name in ("convening_id", "person_id")}
                return self._stands(command, ("registration-made", "registration-withdrawn"), stream, **which)
            case "unknown-person" if "/convenings/" in call["path"]:  # who registers later, may not be known there yet
                known = any(self._registered.get(id, self._began) < self._began for id in _names(command))
                return "and all know them who were registered before the load began" if known else None
            case _:
                return "which nothing in the load gives cause for"

    def _became(self, what: str, command: Line) -> bool:
        """Whether that is on record of somebody whom the command names, with what the refusal says of it."""
        said = {name: command["refusal"][name] for name in ("into_id", "erased_on") if name in command["refusal"]}
        people = [f"membership/person.{id}" for id in _names(command)]
        return any(self._on_record(what, stream, **said) for stream in people)

    def _on_record(self, what: str, stream: str, **data: str) -> bool:
        return any(event["stream"] == stream and _says(event, data) for event in self._events[what])

    def _before(self, command: Line, what: str, stream: str, **data: str) -> bool:
        """Whether it was acknowledged when the command was first sent."""
        return any(
            other["outcome"] == "acknowledged" and other["ended"] < command["began"]
            for other, made in self._making[what]
            if made["stream"] == stream and _says(made, data)
        )

    def _stands(self, command: Line, began_and_ended: tuple[str, str], stream: str, **data: str) -> str | None:
        """That it had begun, and nobody else may have ended it."""
        began, ended = began_and_ended
        is_ended = any(
            other is not command and other["outcome"] in ("acknowledged", "unknown")
            for other, made in self._making[ended]
            if made["stream"] == stream and _says(made, data)
        )
        stands = self._before(command, began, stream, **data) and not is_ended
        return "and what is to end had begun, and nobody had ended it" if stands else None


def _kind(command: Line) -> str:
    return _named(command["refusal"])


def _named(answer: Line) -> str:
    """The kind of a problem; nothing where it is none."""
    return str(answer.get("type", "")).rpartition("/")[2]


def _names(command: Line) -> set[str]:
    """Whom and what a command names."""
    call = command["call"]
    body = call.get("body", {})
    return {*call["path"].split("/"), body.get("into_id", ""), *body.get("person_ids", ())}


def _says(line: Line, data: dict[str, str]) -> bool:
    return all(line["data"].get(name) == value for name, value in data.items())


def _where(command: Line) -> str:
    return f"{command['call']['method']} {command['call']['path']}"
