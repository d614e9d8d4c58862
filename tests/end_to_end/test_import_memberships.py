"""Eight years of dated memberships, imported through the public door, come out as they are counted from the file."""

import asyncio
import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.client import Gateway
from deploy.local.system import System
from shared.events.words import slug
from tests.end_to_end.real_data import Run, View, about, counts, figure, folder, praxis, table, value

DAYS = ("2019-01-01", "2021-06-30", "2024-02-29", None)
Rows = list[dict[str, str]]


@pytest.fixture(scope="module")
def memberships() -> Rows:
    return table(folder("kubernetes") / "memberships.csv")


@pytest.fixture(scope="module")
def before(system: System) -> dict[str | None, View]:
    """The network as at each day before the import: the system is shared with other tests."""
    return asyncio.run(_networks(system))


@pytest.fixture(scope="module")
def imported(system: System, before: dict[str | None, View]) -> Run:
    files = folder("kubernetes")
    return praxis(system, "import", "--source=kubernetes", files / "memberships.csv", files / "communities.csv")


async def _networks(system: System) -> dict[str | None, View]:
    async with Gateway(system.gateway) as gateway:
        return {day: await gateway.view("/v1/network", as_at=day) for day in DAYS}


def held(memberships: Rows, day: str) -> Iterator[dict[str, str]]:
    """The memberships that hold on a day: from `joined_on` up to, not including, `left_on`."""
    return (row for row in memberships if row["joined_on"] <= day < (row["left_on"] or "9999-12-31"))


def test_every_row_is_recorded(imported: Run, memberships: Rows) -> None:
    assert imported.code == 0, imported.errors
    communities = len(table(folder("kubernetes") / "communities.csv"))
    assert counts(imported) == {"communities": (communities, 0, 0), "memberships": (len(memberships), 0, 0)}


@pytest.mark.parametrize("day", DAYS)
def test_members_by_role_are_as_counted_from_the_file(
    system: System, imported: Run, memberships: Rows, day: str | None
) -> None:
    views = asyncio.run(_communities(system, imported, {row["community_ref"] for row in memberships}, day))
    expected: dict[str, Counter[str]] = {ref: Counter() for ref in views}
    people: dict[str, set[str]] = {ref: set() for ref in views}
    for row in held(memberships, day or next(iter(views.values()))["as_at"]):
        expected[row["community_ref"]][row["role"]] += 1
        people[row["community_ref"]].add(row["person_ref"])
    assert {ref: figure(view, "members")["by"].get("role", {}) for ref, view in views.items()} == expected
    assert {ref: value(view, "members") for ref, view in views.items()} == {
        ref: len(of_one) for ref, of_one in people.items()
    }


async def _communities(system: System, imported: Run, refs: set[str], day: str | None) -> dict[str, View]:
    async with Gateway(system.gateway) as gateway:

        async def view(ref: str) -> tuple[str, View]:
            after = about(ref, imported.told["positions"])
            return ref, await gateway.view(f"/v1/communities/{slug(ref)}", as_at=day, after=after)

        return dict(await asyncio.gather(*map(view, sorted(refs))))


def test_people_over_all_communities_count_once(
    system: System, imported: Run, memberships: Rows, before: dict[str | None, View]
) -> None:
    for day, network in asyncio.run(_networks(system)).items():
        people = {row["person_ref"] for row in held(memberships, network["as_at"])}
        added = value(network, "distinct-members") - value(before[day], "distinct-members")
        assert added == len(people), network["as_at"]


def test_a_second_import_adds_nothing(system: System, imported: Run, memberships: Rows, tmp_path: Path) -> None:
    some = memberships[::7]
    with (tmp_path / "memberships.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(memberships[0]))
        writer.writeheader()
        writer.writerows(some)
    again = praxis(system, "import", "--source=kubernetes", tmp_path / "memberships.csv")
    assert counts(again) == {"memberships": (0, len(some), 0)}
    assert again.code == 0
