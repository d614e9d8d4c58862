"""What records say, once more from the facts alone: as plainly as in `recompute`, and for the same reason."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.faults.recompute import Person, convenings_in, in_order, named, people_in

Fields = dict[str, Any]

FROM_THE_BEGINNING = "0001-01-01"


def kept(scope: str, facts: Sequence[Fields]) -> dict[str, Fields]:
    """The records of one scope by their ids, without what is empty."""
    kind, _, id = scope.partition(".")
    return {key: filled(record) for key, record in _OF[kind](id, in_order(facts)).items()} if kind in _OF else {}


def filled(value: Any) -> Any:
    """Without what is empty, however deep: some of it is stored and some is not."""
    if isinstance(value, Mapping):
        return {name: filled(held) for name, held in value.items() if held}
    return [filled(one) for one in value] if isinstance(value, list) else value


def _of_community(community: str, facts: Sequence[Fields]) -> dict[str, Fields]:
    records: dict[str, Fields] = {}
    for id, person in people_in(facts).items():
        whose = {"community_id": community, "person_id": id}
        records[f"participation/{community}/{id}"] = whose | _participation(person)
    for id, convening in convenings_in(facts).items():
        records[f"convening/{community}/{id}"] = {
            "community_id": community,
            "convening_id": id,
            "title": convening.get("title"),
            "scheduled_on": convening.get("scheduled_on"),
            "called_by_members": convening["by_members"],
            "held_on": convening.get("held"),
            "cancelled_on": convening.get("cancelled"),
            "attendance_known": convening.get("taken"),
        }
    for line in facts:
        data = {"community_id": community, **line["data"]}
        match named(line):
            case "community-founded":
                records[f"community/{community}"] = _with_kind(data, "community_kind")
            case "feedback-form-opened":
                records[f"form/{community}/{data['form_id']}"] = data
            case "response-received":
                answers = {given["question_id"]: given["answer"] for given in data["answers"]}
                records[f"response/{community}/{data['form_id']}/{data['response_id']}"] = {**data, "answers": answers}
            case _:
                pass
    return records


def _participation(person: Person) -> Fields:
    return {
        "memberships": [
            {name: one.get(name) for name in ("role", "how", "joined_on", "left_on")} for one in person.memberships
        ],
        "completed_on": person.completed,
        "registered": {
            convening: [{"registered_on": one["from"], "withdrawn_on": one.get("until")} for one in registrations]
            for convening, registrations in person.registrations.items()
        },
        "attended": person.attended,
        "first_attended_on": min(person.attended.values(), default=None),
        "merged_from": sorted(person.merged_from),
        **_identity(person),
    }


def _identity(person: Person) -> Fields:
    """What is said of somebody in every community that knows them."""
    affiliations = [person.affiliations[id] for id in sorted(person.affiliations)]
    return {
        "affiliations": [{name: one[name] for name in one if name != "person_id"} for one in affiliations],
        "merged_into": person.merged_into,
        "erased_on": person.erased,
    }


def _of_person(id: str, facts: Sequence[Fields]) -> dict[str, Fields]:
    person, is_registered = people_in(facts)[id], any(named(line) == "person-registered" for line in facts)
    return {f"person/{id}": {"person_id": id, "registered": is_registered, **_identity(person)}}


def _of_organisation(id: str, facts: Sequence[Fields]) -> dict[str, Fields]:
    data = facts[0]["data"]
    first = {"name": data["name"], "since": FROM_THE_BEGINNING}
    about = {name: value for name, value in data.items() if name != "name"}
    return {f"organisation/{id}": {"organisation_id": id, "names": [first], **_with_kind(about, "organisation_kind")}}


def _of_innovation(id: str, facts: Sequence[Fields]) -> dict[str, Fields]:
    records: dict[str, Fields] = {}
    for line in facts:
        data = line["data"]
        if "organisation_id" not in data:
            records[f"innovation/{id}"] = {"innovation_id": id, **data}
            continue
        whose = {"innovation_id": id, "organisation_id": data["organisation_id"]}
        record = records.setdefault(f"adoption/{id}/{data['organisation_id']}", {**whose, "eligible": [], "stages": []})
        match named(line):
            case "organisation-became-eligible":
                record["eligible"].append({"since": data["eligible_from"]})
            case "organisation-ceased-eligible":
                record["eligible"][-1]["until"] = data["eligible_until_on"]
            case _:
                stage = {name: data[name] for name in ("stage", "reached_on", "source")}
                record["stages"].append({**stage, "reached_stated": data["reached_on"]})
                record["stages"].sort(key=lambda one: str(one["reached_on"]))
    return records


def _with_kind(data: Fields, name: str) -> Fields:
    return {name if key == "kind" else key: value for key, value in data.items()}


_OF: Mapping[str, Callable[[str, Sequence[Fields]], dict[str, Fields]]] = {
    "community": _of_community,
    "person": _of_person,
    "organisation": _of_organisation,
    "innovation": _of_innovation,
}
