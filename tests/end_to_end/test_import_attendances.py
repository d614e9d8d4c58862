"""Seven years of a council's meetings: who came, first on record, and came again; unknown stays unknown."""

import asyncio
from collections import defaultdict

import pytest

from deploy.client import Gateway
from deploy.local.system import System
from shared.events.words import slug
from tests.end_to_end.real_data import Run, View, about, counts, figure, folder, praxis, table, value

Came = dict[str, set[str]]


@pytest.fixture(scope="module")
def convenings() -> list[dict[str, str]]:
    """In the order of their days, and of their ids within a day, as retention takes them."""
    rows = table(folder("openjs") / "convenings.csv")
    return sorted(rows, key=lambda row: (row["held_on"], slug(row["convening_ref"])))


@pytest.fixture(scope="module")
def came() -> Came:
    people: Came = defaultdict(set)
    for row in table(folder("openjs") / "attendances.csv"):
        people[row["convening_ref"]].add(row["person_ref"])
    return people


@pytest.fixture(scope="module")
def imported(system: System) -> Run:
    files = folder("openjs")
    return praxis(system, "import", "--source=openjs", files / "attendances.csv", files / "convenings.csv")


@pytest.fixture(scope="module")
def views(system: System, imported: Run, convenings: list[dict[str, str]]) -> dict[str, View]:
    """The communities, met only in the convenings' file, by their reference."""

    async def read() -> dict[str, View]:
        async with Gateway(system.gateway) as gateway:
            return {
                ref: await gateway.view(f"/v1/communities/{slug(ref)}", after=about(ref, imported.told["positions"]))
                for ref in {row["community_ref"] for row in convenings}
            }

    return asyncio.run(read())


def of_each(views: dict[str, View]) -> dict[str, View]:
    return {one["convening_id"]: one for view in views.values() for one in view["convenings"]}


def test_repeated_rows_are_unchanged_and_all_others_recorded(imported: Run, came: Came) -> None:
    rows = len(table(folder("openjs") / "attendances.csv"))
    distinct = sum(map(len, came.values()))
    assert imported.code == 0, imported.errors
    assert counts(imported)["attendances"] == (distinct, rows - distinct, 0)
    assert imported.told["files"][1]["repeated"] == rows - distinct


def test_attendances_of_each_convening_and_two_unknown(
    views: dict[str, View], convenings: list[dict[str, str]], came: Came
) -> None:
    found = of_each(views)
    assert {id_: value(one, "attendances") for id_, one in found.items()} == {
        slug(row["convening_ref"]): len(came[row["convening_ref"]]) or None for row in convenings
    }
    unknown = [id_ for id_, one in found.items() if not one["attendance_known"]]
    assert len(unknown) == 2
    assert sum(value(view, "attendance-unknown") for view in views.values()) == 2


def test_participants_count_once_in_each_community(
    views: dict[str, View], convenings: list[dict[str, str]], came: Came
) -> None:
    for ref, view in views.items():
        theirs = [row["convening_ref"] for row in convenings if row["community_ref"] == ref]
        assert value(view, "participants") == len(set().union(*(came[one] for one in theirs)))
        assert value(view, "attendances") == sum(len(came[one]) for one in theirs)
        assert figure(view, "attendances")["unknown"] == sum(not came[one] for one in theirs)


def test_first_recorded_says_how_many_earlier_ones_are_unknown(
    views: dict[str, View], convenings: list[dict[str, str]], came: Came
) -> None:
    found = of_each(views)
    for ref in views:
        seen: set[str] = set()
        unknown = 0
        for row in (row for row in convenings if row["community_ref"] == ref):
            there = came[row["convening_ref"]]
            told = figure(found[slug(row["convening_ref"])], "first-recorded")
            if there:
                assert (told["value"], told["unknown"]) == (len(there - seen), unknown), row["convening_ref"]
            else:
                assert told["value"] is None
                unknown += 1
            seen |= there


def test_retention_from_each_convening_to_the_next(
    views: dict[str, View], convenings: list[dict[str, str]], came: Came
) -> None:
    """Nobody is on record as a member, so nobody has left: all who came count at the next one."""
    found = of_each(views)
    for ref in views:
        theirs = [row["convening_ref"] for row in convenings if row["community_ref"] == ref]
        for this, following in zip(theirs, [*theirs[1:], None], strict=True):
            known = following is not None and came[this] and came[following]
            expected = len(came[this] & came[following]) / len(came[this]) if known and following else None
            assert value(found[slug(this)], "retention") == pytest.approx(expected), this


def test_a_second_import_adds_nothing(system: System, imported: Run, convenings: list[dict[str, str]]) -> None:
    files = folder("openjs")
    again = praxis(system, "import", "--source=openjs", files / "attendances.csv", files / "convenings.csv")
    rows = len(table(files / "attendances.csv"))
    assert counts(again) == {"convenings": (0, len(convenings), 0), "attendances": (0, rows, 0)}
