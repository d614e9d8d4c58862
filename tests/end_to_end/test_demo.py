"""The page's key achievements come out of the demonstration, computed from its facts."""

import asyncio

import pytest

from deploy.client import Gateway
from deploy.local.system import System
from tests.end_to_end.real_data import Run, View, figure, praxis, value

AS_AT = "2020-12-31"


@pytest.fixture(scope="module")
def loaded(system: System) -> Run:
    return praxis(system, "demo")


@pytest.fixture(scope="module")
def told(system: System, loaded: Run) -> View:
    assert loaded.code == 0, loaded.errors
    return praxis(system, "figures", f"--as-at={AS_AT}").told


def of(told: View, achievement: str) -> View:
    found: View = next(one for one in told["achievements"] if one["id"] == achievement)
    return found


def read(system: System, path: str, as_at: str = AS_AT) -> View:
    async def view() -> View:
        async with Gateway(system.gateway) as gateway:
            found: View = await gateway.view(path, as_at=as_at)
            return found

    return asyncio.run(view())


def test_over_250_participants_across_the_four_communities(told: View) -> None:
    participation = of(told, "participation-selca-2019")
    participants, staff = (figure(participation, name) for name in ("distinct-participants", "host-staff-participants"))
    assert participants["value"] - staff["value"] > 250
    assert staff["value"] > 0
    assert {"rj1", "rj2", "rjz"} <= participants["by"]["organisation"].keys()
    assert len(participants["by"]["profession"]) > 5
    assert "4 communities" in participation["text"]


def test_twelve_convenings_were_commissioned_and_held(told: View) -> None:
    delivery = of(told, "delivery-selca-2019")
    measures = ("convenings-commissioned", "convenings-held", "convenings-late")
    assert [value(delivery, name) for name in measures] == [12, 12, 0]
    assert "January 2019, by South East London Cancer Alliance from Health Innovation Network" in delivery["text"]


def test_four_of_seven_trusts_have_adopted_and_three_are_in_progress(told: View, system: System) -> None:
    adoption = of(told, "adoption-gdm-health")
    assert (value(adoption, "adopters"), value(adoption, "organisations-eligible")) == (4, 7)
    assert figure(adoption, "adopters")["by"]["stage"] == {"adopted": 4, "in-progress": 3}
    earlier = read(system, "/v1/innovations/gdm-health", "2018-12-31")
    assert (value(earlier, "adopters"), value(earlier, "organisations-eligible")) == (1, 7)


def test_twenty_three_completed_the_course_and_it_was_commissioned_again(told: View) -> None:
    completion = of(told, "completion-cop-leadership-2020")
    assert value(completion, "completions") == 23
    assert 0 < value(completion, "responses") <= 23
    assert "to begin in 2021" in completion["text"]
    assert completion["parts"]


def test_the_commission_was_preceded_by_a_design_group_of_the_three_trusts(system: System, told: View) -> None:
    programme = read(system, "/v1/programmes/selca-2019")
    (group,) = programme["design_groups"]
    assert group["organisation_ids"] == ["rj1", "rj2", "rjz"]
    assert programme["commissioned_on"] == "2019-01"
    assert {one["domain"]["domain"] for one in programme["communities"]} == {
        "Patient Involvement",
        "Rehabilitation and Personalised Care",
        "Ultrasound Imaging",
        "Operational Teams",
    }


def test_diabetes_in_pregnancy_is_self_governing_across_two_services(system: System, told: View) -> None:
    community = read(system, "/v1/communities/diabetes-in-pregnancy")
    assert (community["governance"], community["programme_id"]) == ("self-governing", None)
    assert figure(community, "members")["by"]["service"].keys() == {"diabetes", "maternity"}


def test_the_course_has_the_mechanisms_of_its_change_model_and_an_accreditor_that_is_not_stated(
    system: System, told: View
) -> None:
    course = read(system, "/v1/communities/cop-leadership-2020")
    assert course["mechanisms"] == ["connecting", "collaborating", "supporting", "developing"]
    assert course["accredited_by"] is None


def test_each_of_its_figures_carries_the_mark(told: View) -> None:
    figures = [one for achievement in told["achievements"] for one in achievement["figures"]]
    assert figures
    assert {one["demonstration_on"] for one in figures} == {AS_AT}


def test_a_trust_goes_by_the_name_of_the_day(system: System, told: View) -> None:
    assert read(system, "/v1/organisations/rax")["name"] == "Kingston Hospital NHS Foundation Trust"
    later = read(system, "/v1/organisations/rax", "2025-01-01")
    assert later["name"] == "Kingston and Richmond NHS Foundation Trust"


def test_a_second_load_adds_nothing(system: System, loaded: Run) -> None:
    again = praxis(system, "demo").told
    assert (again["created"], again["unchanged"]) == (0, loaded.told["commands"])
