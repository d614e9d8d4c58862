"""What the contenders of `bench streams` fold and what is expected of them are two counts of the same history."""

from collections import defaultdict

from bench.expected import Expected
from bench.figures import Community, Participation, ParticipationFact
from bench.history import history


def test_the_projection_and_the_recount_agree_on_a_history() -> None:
    expected = Expected()
    communities = defaultdict[str, Community](Community)
    people = defaultdict[tuple[str, str], Participation](Participation)
    for stream, fact in history(communities=2, members=60):
        expected.note(stream, fact)
        if isinstance(fact, ParticipationFact):
            place = (stream.id, fact.person_id)
            before, people[place] = people[place], people[place].evolved(fact)
            communities[stream.id].change(before, people[place])

    figures = expected.figures()

    assert figures.keys() == {"community-0", "community-1"}
    for name, community in communities.items():
        assert _counts(community) == figures[name]
        assert 0 < figures[name]["participants"] < figures[name]["attendances"]


def _counts(community: Community) -> dict[str, int]:
    counts = {f"role {role}": count for role, count in community.by_role.items()}
    counts |= {f"organisation {id}": count for id, count in community.by_organisation.items()}
    counts |= {"attendances": community.attendances, "participants": community.participants}
    return {name: count for name, count in counts.items() if count}
