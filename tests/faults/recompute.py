"""Every figure once more, from the facts alone: written plainly and apart from the measures, so that both cannot be
wrong in the same way by having been written once. All days here are whole days.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

Figures = dict[tuple[str, str], int]
"""(measure, key) -> value; what is zero is left out."""

FOR_EVER = "9999-12-31"


@dataclass
class Person:
    memberships: list[dict[str, Any]] = field(default_factory=list)
    affiliations: dict[str, dict[str, Any]] = field(default_factory=dict)
    registrations: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    attended: dict[str, str] = field(default_factory=dict)
    completed: str | None = None
    merged_into: str | None = None
    merged_from: set[str] = field(default_factory=set)
    erased: str | None = None


CALLED_BY = {True: "members", False: "facilitators", None: "not-stated"}


def named(line: dict[str, Any]) -> str:
    """`praxis.member-joined.v1` -> `member-joined`."""
    return str(line["type"]).split(".")[1]


def in_order(facts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(facts, key=lambda line: (line["stream"], line["version"]))


def days_of(facts: Iterable[dict[str, Any]]) -> list[str]:
    """The days on which figures may change, the day before each, on which they may not yet, and one after all."""
    days = {
        value
        for line in facts
        for name, value in line["data"].items()
        if name.endswith(("_on", "_from")) and len(value) == len("2024-01-01")
    }
    return [*sorted(days | {_day_before(day) for day in days}), FOR_EVER]


def _day_before(day: str) -> str:
    return (date.fromisoformat(day) - timedelta(days=1)).isoformat()


def community_figures(facts: Sequence[dict[str, Any]], day: str) -> Figures:
    """The figures of one community at the end of a day, from all facts in its streams."""
    people, convenings = one_each(people_in(facts)), convenings_in(facts)
    counted: Counter[tuple[str, str]] = Counter()
    for person in people.values():
        _count_member(counted, person, day)
        _count_participant(counted, person, day)
        _count_registrations(counted, person, day)
        if person.completed and person.completed <= day:
            counted["completions", ""] += 1
    for convening in convenings.values():
        if (held := convening.get("held")) and held <= day:
            counted["convenings-held", ""] += 1
            counted[
                "convenings-held",
                "called-by=" + CALLED_BY[convening["by_members"]],
            ] += 1
            if not convening.get("taken"):
                counted["attendance-unknown", ""] += 1
        if (cancelled := convening.get("cancelled")) and cancelled <= day:
            counted["convenings-cancelled", ""] += 1
    for line in facts:
        if named(line) == "response-received" and line["data"]["received_on"] <= day:
            _count_response(counted, line["data"])
    return dict(counted)


def innovation_figures(facts: Sequence[dict[str, Any]], day: str) -> Figures:
    """The figures of one innovation at the end of a day."""
    counted: Counter[tuple[str, str]] = Counter()
    eligible: dict[str, list[tuple[str, str]]] = {}
    stages: dict[str, list[tuple[str, int, str]]] = {}
    for line in in_order(facts):
        data = line["data"]
        organisation = data.get("organisation_id", "")
        match named(line):
            case "organisation-became-eligible":
                eligible.setdefault(organisation, []).append((data["eligible_from"], FOR_EVER + "x"))
            case "organisation-ceased-eligible":
                on = data["eligible_until_on"]
                eligible[organisation] = [
                    (since, on) if until > FOR_EVER and since < on else (since, until)
                    for since, until in eligible[organisation]
                ]
            case "adoption-stage-reached":
                stages.setdefault(organisation, []).append((data["reached_on"], line["version"], data["stage"]))
            case _:
                pass
    for organisation in eligible.keys() | stages.keys():
        is_eligible = any(since <= day < until for since, until in eligible.get(organisation, []))
        counted["organisations-eligible", ""] += is_eligible
        if reached := [one for one in stages.get(organisation, []) if one[0] <= day]:
            measure = "adopters" if is_eligible else "adopters-elsewhere"
            stage = max(reached)[2]
            counted[measure, f"stage={stage}"] += 1
            counted[measure, ""] += stage in ("adopted", "sustained")
    return {place: value for place, value in counted.items() if value}


def people_in(facts: Sequence[dict[str, Any]]) -> dict[str, Person]:
    people: dict[str, Person] = {}
    for line in in_order(facts):
        data = line["data"]
        if "person_id" in data:
            _tell(people.setdefault(data["person_id"], Person()), named(line), data)
        if "into_id" in data:
            people.setdefault(data["into_id"], Person()).merged_from.add(data["person_id"])
    return people


def _tell(person: Person, what: str, data: dict[str, Any]) -> None:
    match what:
        case "member-joined":
            person.memberships.append(dict(data))
        case "member-left":
            for one in person.memberships:
                if (one["role"], one["joined_on"]) == (data["role"], data["joined_on"]) and "left_on" not in one:
                    one["left_on"] = data["left_on"]
        case "member-completed":
            person.completed = data["completed_on"]
        case "affiliation-began" | "affiliation-ended":
            known = person.affiliations.get(data["affiliation_id"], {})
            person.affiliations[data["affiliation_id"]] = _still_known(what, known) | data
        case "registration-made":
            person.registrations.setdefault(data["convening_id"], []).append({"from": data["registered_on"]})
        case "registration-withdrawn":
            person.registrations[data["convening_id"]][-1]["until"] = data["withdrawn_on"]
        case "person-attended":
            person.attended[data["convening_id"]] = data["attended_on"]
        case "person-merged":
            person.merged_into = data["into_id"]
        case "person-erased":
            person.erased = data["erased_on"]
        case _:
            pass


def _still_known(what: str, affiliation: dict[str, Any]) -> dict[str, Any]:
    """What is said of an affiliation for all that is told of it now: of its beginning, all is told again."""
    return {name: value for name, value in affiliation.items() if what == "affiliation-ended" or name == "ended_on"}


def going_on(person: str, into: Mapping[str, str | None]) -> str:
    """The id under which somebody goes on; `into`: whom each was merged into."""
    while other := into.get(person):
        person = other
    return person


def one_each(people: Mapping[str, Person]) -> dict[str, Person]:
    """Those whose ids were merged as one, by the id that goes on."""
    into = {id: person.merged_into for id, person in people.items()}
    ones: dict[str, Person] = {}
    for id, person in people.items():
        one = ones.setdefault(going_on(id, into), Person())
        one.memberships += person.memberships
        one.affiliations.update({f"{id}/{name}": held for name, held in person.affiliations.items()})
        for convening, registrations in person.registrations.items():
            one.registrations[convening] = [*one.registrations.get(convening, []), *registrations]
        for convening, on in person.attended.items():
            one.attended[convening] = min(on, one.attended.get(convening, on))
        one.completed = min(filter(None, (one.completed, person.completed)), default=None)
    return ones


def convenings_in(facts: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    convenings: dict[str, dict[str, Any]] = {}
    for line in in_order(facts):
        data = line["data"]
        if "convening_id" not in data or not line["stream"].startswith("convenings/"):
            continue
        convening = convenings.setdefault(data["convening_id"], {"by_members": False})
        match named(line):
            case "convening-scheduled":
                convening["by_members"] = data.get("called_by_members")
                convening |= {name: data[name] for name in ("title", "scheduled_on")}
            case "convening-held":
                convening["held"] = data["held_on"]
            case "convening-cancelled":
                convening["cancelled"] = data["cancelled_on"]
            case "attendance-taken":
                convening["taken"] = True
            case _:
                pass
    return convenings


def _affiliated(person: Person, day: str) -> list[dict[str, Any]]:
    return [
        one
        for one in person.affiliations.values()
        if "began_on" in one and one["began_on"] <= day < one.get("ended_on", FOR_EVER + "x")
    ]


def _parts(person: Person, day: str) -> set[str]:
    """Under what somebody counts on a day by their affiliations."""
    parts: set[str] = set()
    for dimension, name in (("organisation", "organisation_id"), ("service", "service"), ("profession", "profession")):
        values = {one[name] for one in _affiliated(person, day) if one.get(name)}
        parts |= {f"{dimension}={value}" for value in values or {"not-stated"}}
    return parts


def _count_member(counted: Counter[tuple[str, str]], person: Person, day: str) -> None:
    held = [one for one in person.memberships if one["joined_on"] <= day < one.get("left_on", FOR_EVER + "x")]
    if held:
        roles = {f"role={one['role']}" for one in held} | {f"how={one['how']}" for one in held}
        counted.update(("members", key) for key in {"", *roles, *_parts(person, day)})


def _count_participant(counted: Counter[tuple[str, str]], person: Person, day: str) -> None:
    came = {convening: on for convening, on in person.attended.items() if on <= day}
    if not came:
        return
    parts = {part for on in came.values() for part in _parts(person, on)}
    counted.update(("participants", key) for key in {"", *parts})
    first = min((on, convening) for convening, on in came.items())[1]
    counted.update([("first-recorded", ""), ("first-recorded", f"convening={first}")])
    for convening, on in came.items():
        counted.update([("attendances", ""), ("attendances", f"convening={convening}")])
        organisations = {one["organisation_id"] for one in _affiliated(person, on) if one.get("organisation_id")}
        counted.update(("attendances", f"organisation={organisation}") for organisation in organisations)
        stood = any("until" not in one for one in person.registrations.get(convening, []))
        measure = "registered-and-came" if stood else "walk-ins"
        counted.update([(measure, ""), (measure, f"convening={convening}")])


def _count_registrations(counted: Counter[tuple[str, str]], person: Person, day: str) -> None:
    for convening, registrations in person.registrations.items():
        if any(one["from"] <= day < one.get("until", FOR_EVER + "x") for one in registrations):
            counted.update([("registrations", ""), ("registrations", f"convening={convening}")])


def _count_response(counted: Counter[tuple[str, str]], data: dict[str, Any]) -> None:
    form = data["form_id"]
    counted.update([("responses", ""), ("responses", f"form={form}")])
    counted.update(("answers", f"{form}/{given['question_id']}={given['answer']}") for given in data["answers"])
    counted.update(("answers", f"{form}/{question}") for question in data.get("in_words", []))
