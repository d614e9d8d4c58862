"""The whole system brought up, hurt, and brought up again."""

import http.client
import signal
from urllib.parse import urlsplit

from deploy.local.services import NAMES, waiting_for
from deploy.local.system import System


def test_the_system_is_ready_by_its_public_door(system: System) -> None:
    door = http.client.HTTPConnection(urlsplit(system.gateway).netloc, timeout=10)
    try:
        door.request("GET", "/health/ready")
        assert door.getresponse().status == 200
    finally:
        door.close()
    assert all(part.ready for part in system.status())


def test_what_was_killed_is_shown_and_up_starts_it_again(own_system: System) -> None:
    assert own_system.up().started == ["kafka", "mongo", *NAMES]
    again = own_system.up()
    assert (again.started, again.seconds < 1) == ([], True)

    own_system.kill("kafka")
    own_system.kill("membership")
    killed = [part.name for part in own_system.status() if part.state == "killed"]
    assert killed == ["kafka", "membership"]

    assert own_system.up().started == ["kafka", "membership"]
    assert all(part.ready for part in own_system.status())


def test_a_frozen_service_is_running_and_not_ready(own_system: System) -> None:
    own_system.up()
    child = own_system.child("convenings")
    child.signal(signal.SIGSTOP)
    try:
        found = {part.name: part for part in own_system.status()}["convenings"]
        assert (found.state, found.ready) == ("running", False)
    finally:
        child.signal(signal.SIGCONT)
    assert waiting_for(own_system.ports.convenings) is None


def test_down_stops_everything_and_up_comes_back_to_the_same_data(own_system: System) -> None:
    own_system.up()
    assert own_system.down() == [*NAMES, "kafka", "mongo"]
    assert {part.state for part in own_system.status()} == {"stopped"}
    own_system.up()
    assert all(part.ready for part in own_system.status())
