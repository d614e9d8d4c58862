"""What views show, figure by figure: as they say it, and as the facts give it, with none of the gateway's code.

What is zero is left out. Not recounted are the shares of feedback forms, and what is no figure but a convening's state.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from tests.faults.recompute import (
    FOR_EVER,
    Figures,
    Person,
    community_figures,
    convenings_in,
    going_on,
    in_order,
    innovation_figures,
    named,
    one_each,
    people_in,
)

Shown = dict[str, Any]
"""Place -> value, as in `members role=observer`, `<convening>: walk-ins`; None where a figure is unknown."""

OF_COMMUNITY = (
    *("members", "participants", "attendances", "first-recorded", "convenings-held", "attendance-unknown"),
    *("convenings-cancelled", "completions", "responses"),
)
RESTING_ON_ATTENDANCE = ("participants", "attendances", "first-recorded")
CAME = ("attendances", "first-recorded", "walk-ins")
"""Of one convening."""
OF_NETWORK = ("convenings-held", "attendances")
"""Added up over the communities."""
PLACES = {"community": "/v1/communities", "innovation": "/v1/innovations"}
NETWORK = "/v1/network"
BEGUN_BY = ("community-founded", "innovation-registered")


def views_of(facts: Sequence[dict[str, Any]]) -> dict[str, str]:
    """The views of what these facts began, each with the key of its streams; the network's has none, all is in it."""
    views = {}
    for line in in_order(facts):
        if named(line) in BEGUN_BY:
            key = line["stream"].partition("/")[2]
            kind, _, id = key.partition(".")
            views[f"{PLACES[kind]}/{id}"] = key
    return {**views, NETWORK: ""}


def figures_in(view: Mapping[str, Any]) -> Shown:
    """What the answer of the gateway says."""
    shown = dict(_said("", view["figures"]))
    if "communities" in view:
        shown["communities"] = view["communities"]
    for one in view.get("convenings", ()):
        place = f"{one['convening_id']}: "
        shown |= {f"{place}state": one["state"], **dict(_said(place, one["figures"]))}
    for form in view.get("feedback", ()):
        responses = [one for one in form["figures"] if one["measure"] == "responses"]
        shown |= dict(_said(f"{form['form_id']}: ", responses))
        for question in form["questions"]:
            place = f"{form['form_id']}/{question['question_id']}"
            shown[place] = question["answered"]
            shown |= {f"{place}={given['answer']}": given["count"] for given in question["answers"]}
    return _without_zeros(shown)


def _said(prefix: str, figures: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    for figure in figures:
        place = prefix + figure["measure"]
        yield place, figure["value"]
        for dimension, parts in figure["by"].items():
            yield from ((f"{place} {dimension}={part}", value) for part, value in parts.items())


def community(facts: Sequence[dict[str, Any]], day: str) -> Shown:
    """What the view of a community must show at the end of a day, by all facts in its streams."""
    counted, convenings = community_figures(facts, day), convenings_in(facts)
    shown: Shown = {
        f"{measure} {key}".strip(): value for (measure, key), value in counted.items() if measure in OF_COMMUNITY
    }
    held = [(one["held"], id) for id, one in convenings.items() if one.get("held", FOR_EVER) <= day]
    if held and not any(convenings[id].get("taken") for _, id in held):
        shown |= dict.fromkeys(RESTING_ON_ATTENDANCE)
    for id, one in convenings.items():
        states = [state for state in ("held", "cancelled") if one.get(state, FOR_EVER) <= day]
        shown[f"{id}: state"] = states[0] if states else "scheduled"
    kept = _retention(sorted(held), convenings, one_each(people_in(facts)))
    for _, id in held:
        key, taken = f"convening={id}", convenings[id].get("taken")
        registered, came = (counted.get((measure, key), 0) for measure in ("registrations", "registered-and-came"))
        figures: Shown = {measure: counted.get((measure, key), 0) if taken else None for measure in CAME}
        figures |= {"registrations": registered, "show-up": came / registered if taken and registered else None}
        shown |= {f"{id}: {measure}": value for measure, value in {**figures, "retention": kept[id]}.items()}
    for line in facts:
        if named(line) == "feedback-form-opened" and line["data"]["opened_on"] <= day:
            shown |= _answers(line["data"], counted)
    return _without_zeros(shown)


def _answers(form: Mapping[str, Any], counted: Figures) -> Shown:
    """How often each question of a form was answered, and with what."""
    shown: Shown = {f"{form['form_id']}: responses": counted.get(("responses", f"form={form['form_id']}"), 0)}
    answers = {key: value for (measure, key), value in counted.items() if measure == "answers"}
    for question in (f"{form['form_id']}/{asked['question_id']}" for asked in form["questions"]):
        given = {key: value for key, value in answers.items() if key.partition("=")[0] == question}
        shown |= {**given, question: sum(given.values())}
    return shown


def _retention(
    held: Sequence[tuple[str, str]], convenings: Mapping[str, Mapping[str, Any]], people: Mapping[str, Person]
) -> dict[str, float | None]:
    """Of those who came to each and had not left when the next was held, the share who came to that one too."""
    shares: dict[str, float | None] = {id: None for _, id in held}
    for (_, id), (day, following) in pairwise(held):
        stayed = [one for one in people.values() if id in one.attended and not _has_left(one, day)]
        if stayed and convenings[id].get("taken") and convenings[following].get("taken"):
            shares[id] = sum(following in one.attended for one in stayed) / len(stayed)
    return shares


def _has_left(person: Person, day: str) -> bool:
    was_member = any(one["joined_on"] <= day for one in person.memberships)
    return was_member and not _is_member(person, day)


def _is_member(person: Person, day: str) -> bool:
    return any(one["joined_on"] <= day < one.get("left_on", FOR_EVER) for one in person.memberships)


def innovation(facts: Sequence[dict[str, Any]], day: str) -> Shown:
    return {f"{measure} {key}".strip(): value for (measure, key), value in innovation_figures(facts, day).items()}


def network(facts: Sequence[dict[str, Any]], day: str) -> Shown:
    """What these facts add to the network, of whatever things and people they are."""
    of_community: dict[str, list[dict[str, Any]]] = {}
    for line in facts:
        _, is_of_community, community = line["stream"].partition("/community.")
        if is_of_community:
            of_community.setdefault(community, []).append(line)
    into = {line["data"]["person_id"]: line["data"]["into_id"] for line in facts if named(line) == "person-merged"}
    members, participants, shown = set[str](), set[str](), dict.fromkeys(("communities", *OF_NETWORK), 0)
    for lines in of_community.values():
        people = people_in(lines)
        members |= {going_on(id, into) for id, one in people.items() if _is_member(one, day)}
        came = {id for id, one in people.items() if min(one.attended.values(), default=FOR_EVER) <= day}
        participants |= {going_on(id, into) for id in came}
        if any(named(line) == "community-founded" for line in lines):
            counted = community_figures(lines, day)
            shown["communities"] += 1
            for measure in OF_NETWORK:
                shown[measure] += counted.get((measure, ""), 0)
    return _without_zeros({**shown, "distinct-members": len(members), "distinct-participants": len(participants)})


def _without_zeros(shown: Shown) -> Shown:
    return {place: value for place, value in shown.items() if value != 0}
