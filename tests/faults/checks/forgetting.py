"""An erasure leaves nothing of a person but their id and its facts; a merge, and whatever else, leaves all."""

from collections.abc import Iterator

from tests.faults.anomaly import Anomaly, Kind
from tests.faults.history import History
from tests.faults.recompute import going_on, named


def forgotten(history: History) -> Iterator[Anomaly]:
    """Nothing is left of who was erased, nor of those who had been merged into them."""
    into, erased = _became(history)
    for line in history.words:
        if line["person"] in erased or going_on(line["person"], into) in erased:
            yield Anomaly(Kind.KEPT, line["person"], f"was erased, and their {line['what']} is still there")


def remembered(history: History) -> Iterator[Anomaly]:
    """Of all others what was acknowledged is left; a reference leads to the id that goes on."""
    if "words" in history.lacking:
        return
    into, erased = _became(history)
    held = {(line["person"], line["what"], line["holds"]) for line in history.words}
    for command in history.acknowledged():
        goes_on = going_on(command.get("person", ""), into)
        if "person" not in command or goes_on in erased:
            continue
        said = command["call"]["body"]
        reference = said.get("reference", {}).get("ref")
        for person, what, holds in (
            (command["person"], "name", said.get("name")),
            (command["person"], "email", said.get("email")),
            (command["person"], "reference", reference),
            (goes_on, "reference that leads to them", reference),
        ):
            if holds is not None and (person, what, holds) not in held:
                yield Anomaly(Kind.LOST, person, f"was not erased, and their {what} is gone: {holds}")


def _became(history: History) -> tuple[dict[str, str | None], set[str]]:
    """Whom each was merged into, and who was erased."""
    into, erased = dict[str, str | None](), set[str]()
    for event in history.events:
        if event["stream"].startswith("membership/person."):
            if named(event) == "person-merged":
                into[event["data"]["person_id"]] = event["data"]["into_id"]
            elif named(event) == "person-erased":
                erased.add(event["data"]["person_id"])
    return into, erased
