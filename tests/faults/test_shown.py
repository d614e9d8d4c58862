"""That a view says the same as the facts give, by a community in which something of everything happened."""

from typing import Any

from tests.faults import shown
from tests.faults.commands import fact

MEMBERSHIP, CONVENINGS, FEEDBACK = (f"{topic}/community.a" for topic in ("membership", "convenings", "feedback"))


def day(number: int) -> str:
    return f"2024-01-{number:02d}"


JOINED = {"role": "member", "how": "invited", "joined_on": day(1)}
ASKED = [{"question_id": "satisfied", "text": "?", "scale": "ordered", "answers": ["poor", "good"]}]
FACTS: list[dict[str, Any]] = [
    {**line, "version": version}
    for version, line in enumerate(
        [
            fact(MEMBERSHIP, "community-founded", title="A"),
            fact(MEMBERSHIP, "member-joined", person_id="p", **JOINED),
            fact(MEMBERSHIP, "member-joined", person_id="q", **JOINED),
            fact(MEMBERSHIP, "member-left", person_id="q", role="member", joined_on=day(1), left_on=day(4)),
            fact(MEMBERSHIP, "person-merged", person_id="q", into_id="r", merged_on=day(9)),
            fact(CONVENINGS, "convening-scheduled", convening_id="c", title="C", scheduled_on=day(2)),
            fact(CONVENINGS, "convening-scheduled", convening_id="d", title="D", scheduled_on=day(5)),
            fact(CONVENINGS, "convening-scheduled", convening_id="e", title="E", scheduled_on=day(7)),
            fact(CONVENINGS, "registration-made", convening_id="c", person_id="p", registered_on=day(1)),
            fact(CONVENINGS, "registration-made", convening_id="c", person_id="s", registered_on=day(1)),
            fact(CONVENINGS, "convening-held", convening_id="c", held_on=day(3)),
            fact(CONVENINGS, "attendance-taken", convening_id="c"),
            *(fact(CONVENINGS, "person-attended", convening_id="c", person_id=id, attended_on=day(3)) for id in "pqt"),
            fact(CONVENINGS, "convening-held", convening_id="d", held_on=day(5)),
            fact(CONVENINGS, "attendance-taken", convening_id="d"),
            fact(CONVENINGS, "person-attended", convening_id="d", person_id="p", attended_on=day(5)),
            fact(CONVENINGS, "convening-held", convening_id="e", held_on=day(7)),
            fact(FEEDBACK, "feedback-form-opened", form_id="f", title="F", opened_on=day(1), questions=ASKED),
            fact(
                *(FEEDBACK, "response-received"),
                form_id="f",
                received_on=day(6),
                answers=[{"question_id": "satisfied", "answer": "good"}],
            ),
        ]
    )
]


def test_a_community_at_a_day_on_which_two_convenings_are_over() -> None:
    assert shown.community(FACTS, day(6)) == {
        "members": 1,
        "members role=member": 1,
        "members how=invited": 1,
        **{f"members {of}=not-stated": 1 for of in ("organisation", "service", "profession")},
        "participants": 3,
        **{f"participants {of}=not-stated": 3 for of in ("organisation", "service", "profession")},
        "attendances": 4,
        "attendances convening=c": 3,
        "attendances convening=d": 1,
        "first-recorded": 3,
        "first-recorded convening=c": 3,
        "convenings-held": 2,
        "convenings-held called-by=not-stated": 2,
        "responses": 1,
        "responses form=f": 1,
        "c: state": "held",
        "c: attendances": 3,
        "c: first-recorded": 3,
        "c: walk-ins": 2,
        "c: registrations": 2,
        "c: show-up": 0.5,
        "c: retention": 0.5,
        "d: state": "held",
        "d: attendances": 1,
        "d: walk-ins": 1,
        "d: show-up": None,
        "d: retention": None,
        "e: state": "scheduled",
        "f: responses": 1,
        "f/satisfied": 1,
        "f/satisfied=good": 1,
    }


def test_what_is_not_known_of_a_convening_is_not_shown_as_nothing() -> None:
    of_e = [line for line in FACTS if line["data"].get("convening_id", "e") == "e"]
    found = shown.community(of_e, day(8))
    unknown = ("participants", "attendances", "first-recorded", "e: attendances", "e: walk-ins", "e: retention")
    assert {place: found[place] for place in unknown} == dict.fromkeys(unknown)


def test_the_network_has_each_person_once() -> None:
    elsewhere = [{**line, "stream": line["stream"].replace(".a", ".b")} for line in FACTS]
    found = shown.network([*FACTS, *elsewhere], day(3))
    assert found == {
        "communities": 2,
        "distinct-members": 2,
        "distinct-participants": 3,
        "convenings-held": 2,
        "attendances": 6,
    }


def test_a_view_is_taken_for_what_it_says() -> None:
    def figure(measure: str, value: float | None, **by: dict[str, int]) -> dict[str, Any]:
        return {"measure": measure, "value": value, "by": by}

    answered = {"question_id": "satisfied", "answered": 1}
    view = {
        "figures": [figure("members", 3, role={"member": 2, "observer": 1}), figure("completions", 0)],
        "convenings": [{"convening_id": "c", "state": "held", "figures": [figure("show-up", None)]}],
        "feedback": [
            {
                "form_id": "f",
                "figures": [figure("responses", 1), figure("response-rate", 0.1)],
                "questions": [
                    {**answered, "answers": [{"answer": "good", "count": 1}, {"answer": "poor", "count": 0}]}
                ],
            }
        ],
    }
    assert shown.figures_in(view) == {
        "members": 3,
        "members role=member": 2,
        "members role=observer": 1,
        "c: state": "held",
        "c: show-up": None,
        "f: responses": 1,
        "f/satisfied": 1,
        "f/satisfied=good": 1,
    }
