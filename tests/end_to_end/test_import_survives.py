"""An import goes on through the death of a service, and nothing of it is lost or doubled."""

import threading
import time
from pathlib import Path

from deploy.local.system import System
from tests.end_to_end.real_data import Run, counts, praxis

PEOPLE = 1_500


def test_a_service_killed_in_the_middle_costs_time_and_no_row(own_system: System, tmp_path: Path) -> None:
    own_system.up()
    (tmp_path / "communities.csv").write_text("community_ref,name\nward-9,Ward nine\n")
    rows = "".join(f"ward-9,p{number},member,2019-01-{1 + number % 28:02d},\n" for number in range(PEOPLE))
    (tmp_path / "memberships.csv").write_text(f"community_ref,person_ref,role,joined_on,left_on\n{rows}")
    files = sorted(tmp_path.glob("*.csv"))
    runs: list[Run] = []
    importing = threading.Thread(
        target=lambda: runs.append(praxis(own_system, "import", "--source=ward", "--patience=60", *files))
    )
    importing.start()
    time.sleep(2.5)
    assert importing.is_alive()
    own_system.kill("membership")
    time.sleep(1)
    own_system.start("membership")
    importing.join()

    (run,) = runs
    assert run.code == 0, run.errors
    created, unchanged, refused = counts(run)["memberships"]
    assert (created + unchanged, refused) == (PEOPLE, 0)
    # A command that was carried out and could not be answered is told as unchanged when it comes again.
    again = praxis(own_system, "import", "--source=ward", *files)
    assert counts(again) == {"communities": (0, 1, 0), "memberships": (0, PEOPLE, 0)}
