"""The importer and its client against a gateway that answers as it is told to."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web

from deploy.cli.importing import surveyed
from deploy.client import Gateway, GatewayAway, NotAllowed
from deploy.importing.importer import Importer
from deploy.importing.mapping import Mapping
from deploy.importing.report import FileReport
from tests.service.fake_gateway import Answer, FakeGateway, Sent, fake_gateway, refusal

COMMUNITIES = "community_ref,name\nw.7,Ward seven\nw.8,Ward eight\n"
MEMBERSHIPS = "community_ref,person_ref,joined_on\nw.7,p1,2019\nw.8,p1,2019\nw.7,p2,2020\n"
CONVENINGS = "convening_ref,community_ref,title,held_on\nc1,w.7,First,2019-01-31\nc2,w.7,Second,2019-02-28\n"
ATTENDANCES = "convening_ref,person_ref\nc1,p1\nc1,p2\nc1,p1\n"
PATIENCE = timedelta(seconds=5)


@pytest.fixture
async def gateway() -> AsyncIterator[FakeGateway]:
    async with fake_gateway() as gateway:
        yield gateway


@pytest.fixture
def written(tmp_path: Path) -> list[str]:
    files = {
        "communities": COMMUNITIES,
        "memberships": MEMBERSHIPS,
        "convenings": CONVENINGS,
        "attendances": ATTENDANCES,
    }
    for name, content in files.items():
        (tmp_path / f"{name}.csv").write_text(content)
    return [str(tmp_path / f"{name}.csv") for name in reversed(files)]


async def imported(
    gateway: FakeGateway, files: list[str], *, patience: timedelta = PATIENCE, at_once: int = 64
) -> dict[str, FileReport]:
    tables = surveyed(files, Mapping())
    reports = {table.kind.value: FileReport.of(table) for table in tables}
    async with Gateway(gateway.url, patience=patience) as client:
        importer = Importer(client, "ward", at_once=at_once)
        for table in tables:
            await importer.load(table, reports[table.kind])
    return reports


def counted(report: FileReport) -> tuple[int, int, int]:
    return report.created, report.unchanged, report.refused


def once(sent_to: str, response: web.Response) -> Answer:
    given: list[Sent] = []

    def answer(sent: Sent) -> web.Response | None:
        if sent.path.endswith(sent_to) and not given:
            given.append(sent)
            return response
        return None

    return answer


async def test_files_are_sent_in_the_order_in_which_they_build_on_each_other(
    gateway: FakeGateway, written: list[str]
) -> None:
    reports = await imported(gateway, written)
    assert {kind: counted(report) for kind, report in reports.items()} == {
        "communities": (2, 0, 0),
        "convenings": (2, 0, 0),
        "memberships": (3, 0, 0),
        "attendances": (2, 1, 0),
    }
    assert reports["attendances"].repeated == 1
    assert {one.path for one in gateway.sent[:2]} == {"/v1/communities/w-7", "/v1/communities/w-8"}


async def test_a_person_is_registered_once_by_reference(gateway: FakeGateway, written: list[str]) -> None:
    await imported(gateway, written)
    assert sorted(one.body["reference"]["ref"] for one in gateway.of("/people")) == ["p1", "p2"]
    assert len(gateway.of("/members/id-of-p1")) == 2


async def test_what_builds_on_a_creation_says_so(gateway: FakeGateway, written: list[str]) -> None:
    await imported(gateway, written)
    (scheduled,) = gateway.of("/convenings/c1")
    assert scheduled.after == "membership/community.w-7@1"
    (attended,) = gateway.of("/convenings/c1/attendance/id-of-p2")
    assert attended.after == "membership/community.w-7@1, membership/person.id-of-p2@1"


async def test_a_convening_without_attendance_rows_stays_unknown(gateway: FakeGateway, written: list[str]) -> None:
    await imported(gateway, written)
    assert not [one for one in gateway.sent if "/c2/attendance" in one.path]


async def test_a_community_met_only_with_its_convenings_is_founded_from_its_reference(
    gateway: FakeGateway, written: list[str]
) -> None:
    await imported(gateway, [file for file in written if "communities" not in file and "memberships" not in file])
    (founded,) = gateway.of("/communities/w-7")
    assert founded.body["title"] == "w.7"
    assert founded.body["reference"] == {"source": "ward", "ref": "w.7"}


async def test_one_that_is_on_record_in_other_words_is_built_on(gateway: FakeGateway, written: list[str]) -> None:
    gateway.answers.append(once("/communities/w-7", refusal(409, "title is 'Ward seven'", "title")))
    reports = await imported(gateway, [file for file in written if "convenings" in file])
    assert counted(reports["convenings"]) == (2, 0, 0)


async def test_what_builds_on_a_refused_thing_is_refused_with_it(gateway: FakeGateway, written: list[str]) -> None:
    gateway.answers.append(once("/communities/w-7", refusal(409, "the id stands for another", "reference")))
    reports = await imported(gateway, written)
    assert counted(reports["communities"]) == (1, 0, 1)
    assert counted(reports["memberships"]) == (1, 0, 2)
    assert [(one.line, one.field) for one in reports["memberships"].refusals] == [
        (2, "community_ref"),
        (4, "community_ref"),
    ]
    assert "the id stands for another" in reports["memberships"].refusals[0].reason


async def test_not_now_is_tried_again_under_the_same_key(gateway: FakeGateway, written: list[str]) -> None:
    gateway.answers.append(once("/communities/w-8", refusal(503, "come again", headers={"Retry-After": "0"})))
    reports = await imported(gateway, written)
    assert counted(reports["communities"]) == (2, 0, 0)
    first, second = gateway.of("/communities/w-8")
    assert first.key == second.key
    assert first.key.startswith('"')


async def test_an_answer_that_never_came_is_asked_for_again_under_the_same_key(
    gateway: FakeGateway, written: list[str]
) -> None:
    gateway.hang_up_on("/members/id-of-p2")
    reports = await imported(gateway, written)
    assert counted(reports["memberships"]) == (3, 0, 0)
    first, second = gateway.of("/members/id-of-p2")
    assert first.key == second.key


async def test_patience_ends_with_what_to_do_and_what_was_done_is_known(tmp_path: Path) -> None:
    async with fake_gateway() as gateway:
        gone = gateway.url
    (tmp_path / "communities.csv").write_text(COMMUNITIES)
    with pytest.raises(GatewayAway) as away:
        await imported(FakeGateway(gone), [str(tmp_path / "communities.csv")], patience=timedelta(seconds=0.3))
    assert "nothing is recorded twice" in away.value.remedy


async def test_who_may_not_is_told_at_once(gateway: FakeGateway, written: list[str]) -> None:
    gateway.answers.append(lambda sent: refusal(401, "no token"))
    with pytest.raises(NotAllowed, match="no token"):
        await imported(gateway, written)


async def test_no_more_is_in_flight_than_was_said(gateway: FakeGateway, tmp_path: Path) -> None:
    rows = "".join(f"w.7,p{number},2019\n" for number in range(200))
    (tmp_path / "memberships.csv").write_text(f"community_ref,person_ref,joined_on\n{rows}")
    reports = await imported(gateway, [str(tmp_path / "memberships.csv")], at_once=8)
    assert counted(reports["memberships"]) == (200, 0, 0)
    assert 1 < gateway.most_at_once <= 8
