"""The demonstration as commands, in steps that build on each other. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from deploy.client import Command
from deploy.demo.content import Content, Programme
from deploy.demo.generated import Convening, Generated, Person
from shared.events.feedback import Scale, SourceKind


@dataclass(frozen=True)
class Step:
    command: Command
    builds_on: tuple[str, ...] = ()
    """Streams of the membership service that the service it goes to must have read: `community.selca-ultrasound`."""


def registrations(content: Content, generated: Generated) -> dict[str, Command]:
    """By reference: everybody is registered first, and the server says by which id."""
    return {
        person.ref: Command("POST", "/v1/people", {"reference": {"source": content.source, "ref": person.ref}})
        for person in generated.people
    }


def steps(content: Content, generated: Generated, ids: Mapping[str, str]) -> list[list[Step]]:
    """What follows, as rounds: those of one round may go at once. `ids`: reference -> person."""
    people, convenings = generated.people, generated.convenings
    return [
        list(_organisations(content)),
        [*_about_organisations(content), *_programmes(content)],
        list(_what_follows(content)),
        list(_design_groups(content, people, ids)),
        list(_domains(content)),
        list(_communities(content)),
        list(_affiliations(people, ids)),
        list(_memberships(people, ids)),
        list(_completions(people, ids)),
        [*_scheduled(convenings), _innovation(content)],
        [*_registered(convenings, ids), *_eligible(content)],
        [*_held(convenings), *_stages(content)],
        list(_attended(convenings, ids)),
        [_form(content, convenings)],
        list(_responses(content, generated)),
    ]


def _stated(**words: Any) -> dict[str, Any]:
    """What is not stated is left out."""
    return {word: value for word, value in words.items() if value not in (None, ())}


def _organisations(content: Content) -> Iterator[Step]:
    for one in content.organisations:
        words = one.model_dump(mode="json", include={"kind", "name", "ods_code", "region"})
        yield _put(f"/v1/organisations/{one.id}", _stated(**words, demonstration_on=content.demonstration_on))


def _about_organisations(content: Content) -> Iterator[Step]:
    for one in content.organisations:
        if one.renamed is not None:
            yield _put(f"/v1/organisations/{one.id}/name", one.renamed.model_dump(mode="json"))
        if one.board_id is not None:
            board = {"board_id": one.board_id, "joined_on": content.boards.joined_on}
            yield _put(f"/v1/organisations/{one.id}/board", board)


def _programmes(content: Content) -> Iterator[Step]:
    for one in content.programmes:
        words = one.model_dump(mode="json", exclude={"id", "design_group", "follows"})
        yield _put(f"/v1/programmes/{one.id}", _stated(**words, demonstration_on=content.demonstration_on))


def _what_follows(content: Content) -> Iterator[Step]:
    for one in content.programmes:
        if one.follows is not None:
            yield _put(f"/v1/programmes/{one.id}/follows", one.follows.model_dump(mode="json"))


def _design_groups(content: Content, people: tuple[Person, ...], ids: Mapping[str, str]) -> Iterator[Step]:
    for programme in content.programmes:
        if (group := programme.design_group) is not None:
            took_part = [ids[ref] for ref in _professionals(people, group.organisation_ids, group.from_each)]
            words = {"met_on": group.met_on, "person_ids": took_part, "organisation_ids": list(group.organisation_ids)}
            yield _put(_design_group(programme), words)


def _professionals(people: tuple[Person, ...], organisations: tuple[str, ...], from_each: int) -> Iterator[str]:
    for organisation in organisations:
        theirs = (p.ref for p in people if p.affiliation and p.affiliation.organisation_id == organisation)
        yield from list(theirs)[:from_each]


def _domains(content: Content) -> Iterator[Step]:
    for programme in content.programmes:
        if (group := programme.design_group) is not None:
            domains = [{"community_id": community, "domain": domain} for community, domain in group.domains.items()]
            yield _put(f"{_design_group(programme)}/domains", {"decided_on": group.met_on, "domains": domains})


def _design_group(programme: Programme) -> str:
    assert programme.design_group is not None
    return f"/v1/programmes/{programme.id}/design-groups/{programme.design_group.id}"


def _communities(content: Content) -> Iterator[Step]:
    for one in content.communities:
        words = one.model_dump(mode="json", exclude={"id", "called_by_members", "convened_in"})
        stated = _stated(**{word: value for word, value in words.items() if value != []})
        yield _put(f"/v1/communities/{one.id}", {**stated, "demonstration_on": content.demonstration_on})


def _affiliations(people: tuple[Person, ...], ids: Mapping[str, str]) -> Iterator[Step]:
    for person in people:
        if (held := person.affiliation) is not None:
            words = _stated(
                organisation_id=held.organisation_id,
                service=held.service,
                profession=held.profession,
                began_on=held.since,
            )
            yield _put(f"/v1/people/{ids[person.ref]}/affiliations/demonstration", words)


def _memberships(people: tuple[Person, ...], ids: Mapping[str, str]) -> Iterator[Step]:
    for person in people:
        for held in person.memberships:
            left_on = held.left_on.isoformat() if held.left_on else None
            words = _stated(role=person.role, how=person.how, joined_on=held.joined_on.isoformat(), left_on=left_on)
            yield _put(f"/v1/communities/{held.community_id}/members/{ids[person.ref]}", words)


def _completions(people: tuple[Person, ...], ids: Mapping[str, str]) -> Iterator[Step]:
    for person in people:
        if person.completed_on is not None:
            for held in person.memberships:
                path = f"/v1/communities/{held.community_id}/members/{ids[person.ref]}/completed"
                yield _put(path, {"completed_on": person.completed_on})


def _scheduled(convenings: tuple[Convening, ...]) -> Iterator[Step]:
    for one in convenings:
        words: dict[str, Any] = {"title": one.title, "scheduled_on": one.held_on.isoformat()}
        if one.community.called_by_members:
            words["called_by_members"] = True
        yield _put(_convening(one), words, f"community.{one.community.id}")


def _held(convenings: tuple[Convening, ...]) -> Iterator[Step]:
    for one in convenings:
        yield _put(f"{_convening(one)}/held", {"held_on": one.held_on.isoformat()})


def _registered(convenings: tuple[Convening, ...], ids: Mapping[str, str]) -> Iterator[Step]:
    for one in convenings:
        registered_on = one.held_on - timedelta(days=7)
        for ref in one.registered:
            path = f"{_convening(one)}/registrations/{ids[ref]}"
            yield _put(path, {"registered_on": registered_on.isoformat()}, f"person.{ids[ref]}")


def _attended(convenings: tuple[Convening, ...], ids: Mapping[str, str]) -> Iterator[Step]:
    for one in convenings:
        for ref in one.came:
            yield _put(f"{_convening(one)}/attendance/{ids[ref]}", {}, f"person.{ids[ref]}")


def _convening(convening: Convening) -> str:
    return f"/v1/communities/{convening.community.id}/convenings/{convening.id}"


def _form(content: Content, convenings: tuple[Convening, ...]) -> Step:
    form = content.form
    last = max((one for one in convenings if one.community.id == form.community_id), key=lambda one: one.held_on)
    asked = [
        {**question.model_dump(mode="json", include={"question_id", "text", "answers"}), "scale": Scale.ORDERED}
        for question in form.questions
    ]
    words = {"title": form.title, "opened_on": last.held_on.isoformat(), "convening_id": last.id, "questions": asked}
    return _put(f"/v1/communities/{form.community_id}/feedback-forms/{form.id}", words)


def _responses(content: Content, generated: Generated) -> Iterator[Step]:
    form = content.form
    for one in generated.responses:
        words = {"received_on": one.received_on.isoformat(), "answers": one.answers, "words": {}}
        yield _put(f"/v1/communities/{form.community_id}/feedback-forms/{form.id}/responses/{one.id}", words)


def _innovation(content: Content) -> Step:
    one = content.innovation
    words = {**one.model_dump(mode="json", include={"title", "description", "community_id"})}
    words["demonstration_on"] = content.demonstration_on
    return _put(f"/v1/innovations/{one.id}", words, f"community.{one.community_id}")


def _eligible(content: Content) -> Iterator[Step]:
    one = content.innovation
    for organisation in one.eligible:
        path, words = f"/v1/innovations/{one.id}/eligible/{organisation}", {"eligible_from": one.eligible_from}
        yield _put(path, words, f"organisation.{organisation}")


def _stages(content: Content) -> Iterator[Step]:
    one = content.innovation
    illustrative = {"kind": SourceKind.ILLUSTRATIVE, "words": one.illustrative}
    for stage in one.stages:
        source = stage.source.model_dump(mode="json") if stage.source else illustrative
        words = {"stage": stage.stage, "reached_on": stage.reached_on, "source": source}
        path = f"/v1/innovations/{one.id}/adoption/{stage.organisation_id}"
        yield _put(path, words, f"organisation.{stage.organisation_id}")


def _put(path: str, body: dict[str, Any], *builds_on: str) -> Step:
    return Step(Command("PUT", path, body), builds_on)
