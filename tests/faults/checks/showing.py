"""Readers are shown what the facts give: what they have written, at once, and everything when all is quiet."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tests.faults import shown
from tests.faults.anomaly import Anomaly, Kind
from tests.faults.checks.folding import facts_of
from tests.faults.history import History, Line
from tests.faults.recompute import named

BY_FACT = {
    "responses": "response-received",
    "completions": "member-completed",
    "scheduled": "convening-scheduled",
    "held": "convening-held",
    "cancelled": "convening-cancelled",
}
"""What is read back -> the facts that it shows, each of which adds one at most."""


def read(history: History) -> Iterator[Anomaly]:
    """A read with `Praxis-After` shows what it builds on, and nothing that nobody had asked for yet, or is told to come
    again (503), or not answered; but at last it is shown.
    """
    asked = _asked(history)
    for read in history.reads:
        after = f"after {', '.join(read['after'])}"
        match read["status"]:
            case 200 if not is_fresh(read["found"], read["shows"]):
                yield Anomaly(
                    Kind.STALE, read["path"], f"{after} it should show {read['shows']}, it shows {read['found']}"
                )
            case 200 if not _is_asked_for(read, asked):
                what = f"it shows {read['found']} of {read['shows']}, which is more than anybody had asked for by then"
                yield Anomaly(Kind.PHANTOM, read["path"], what)
            case 404:
                yield Anomaly(Kind.STALE, read["path"], f"{after} it was not there")
            case 503 | None if read.get("given_up"):
                yield Anomaly(Kind.STUCK, read["path"], f"{after} it was never shown, in {read['tries']} tries")
            case 200 | 503 | None:
                pass
            case status:
                yield Anomaly(Kind.FAILED, read["path"], f"{after} it was answered {status}")


def is_fresh(found: Any, shows: Line) -> bool:
    """Whether what was found is at least as new as what must be shown."""
    if "counts" in shows:
        return bool(found >= shows["at_least"])
    later = ("held", "cancelled") if shows["state"] == "scheduled" else ()  # it goes on meanwhile
    return len(found) == 1 and found[0] in (shows["state"], *later)


def _asked(history: History) -> dict[tuple[str, str], list[tuple[float, Line]]]:
    """By kind and community, the facts that commands may have made, each with the time since when."""
    asked: defaultdict[tuple[str, str], list[tuple[float, Line]]] = defaultdict(list)
    for command in history.commands:
        if command["outcome"] in ("acknowledged", "unknown"):
            for made in command["call"]["makes"]:
                of = named(made), made["stream"].rpartition("/community.")[2]
                asked[of].append((command.get("began", 0.0), made["data"]))
    return asked


def _is_asked_for(read: Line, asked: Mapping[tuple[str, str], Sequence[tuple[float, Line]]]) -> bool:
    """Whether all that was found had been asked for when the read ended."""
    shows, found = read["shows"], read["found"]
    what = BY_FACT[shows["counts"] if "counts" in shows else found[0]]
    by_then = [data for since, data in asked.get((what, shows["community"]), ()) if since <= read.get("ended", since)]
    if "counts" in shows:
        return bool(found <= len(by_then))
    return any(data["convening_id"] == shows["convening"] for data in by_then)


EXPECTED: dict[str, Callable[[Sequence[Line], str], shown.Shown]] = {
    "community": shown.community,
    "innovation": shown.innovation,
    "": shown.network,
}
"""What a view must show, by the kind of thing that it is of."""


def viewed(history: History) -> Iterator[Anomaly]:
    """When all is quiet the public door shows what the facts give, counted once more; what earlier runs left in the
    network stays as it was.
    """
    if "views" in history.lacking:
        return
    facts, keys = facts_of(history), shown.views_of(history.events)
    views = [view for view in history.views if not view.get("is_before") and view["path"] in keys]
    before = {view["as_at"]: view["figures"] for view in history.views if view.get("is_before")}
    for view in views:
        where, key = f"{view['path']} at {view['as_at']}", keys[view["path"]]
        if view["status"] != 200:
            yield Anomaly(Kind.STUCK, where, f"was answered {view['status']} when all was quiet")
            return
        about = [line for line in facts if key in ("", line["stream"].partition("/")[2])]
        expected = EXPECTED[key.partition(".")[0]](about, view["as_at"])
        found = view["figures"] if key else _without(view["figures"], before.get(view["as_at"], {}))
        places = [
            place for place in sorted(expected.keys() | found.keys()) if expected.get(place, 0) != found.get(place, 0)
        ]
        if places:
            wrong = [f"{place} is {found.get(place, 0)}, not {expected.get(place, 0)}" for place in places[:3]]
            yield Anomaly(Kind.WRONG, where, "; ".join(wrong))
    for path in keys.keys() - {view["path"] for view in views}:
        yield Anomaly(Kind.STUCK, path, "was to be read when all was quiet, and what came of that is not noted")


def _without(figures: shown.Shown, before: shown.Shown) -> shown.Shown:
    """What was added to each; nothing is unknown that was known before."""
    return {place: value - (before.get(place) or 0) for place, value in figures.items() if value is not None}
