"""`praxis dead-letters` against what a service may answer, over HTTP."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.cli import app
from deploy.cli.dead_letters import SHOWN, MetricsAway, MetricsFailed, MetricsWaits, NotMetrics
from deploy.local.failures import Failure
from services.metrics.settling import UnknownDeadLetter
from shared.http.problems import named

LETTER: dict[str, Any] = {
    "id": "membership-3-0-abcdef",
    "state": "waiting",
    "missing": True,
    "position": None,
    "topic": "membership.events",
    "partition": 3,
    "offset": 0,
    "reason": "there is no value (a tombstone)",
    "buried_at": "2026-01-31T12:00:00Z",
    "replayed": None,
    "discarded": None,
    "key": "community.1",
    "headers": [["ce_id", "x"], ["long", "y" * 1_000_000]],
    "value": None,
    "left_out": ["value"],
}


class Answering(BaseHTTPRequestHandler):
    status, answer = 200, LETTER

    def do_GET(self) -> None:
        content = json.dumps(self.answer).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def metrics(request: pytest.FixtureRequest) -> Iterator[str]:
    """A service that gives one answer to all."""
    status, answer = getattr(request, "param", (200, LETTER))
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("One", (Answering,), {"status": status, "answer": answer}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def told(*arguments: str) -> str:
    result = CliRunner(env={"COLUMNS": "120"}).invoke(app, ["dead-letters", *arguments])
    if isinstance(result.exception, Failure):
        raise result.exception
    return result.output


def test_what_is_very_long_is_cut_and_what_is_not_kept_is_said(metrics: str) -> None:
    shown = told("show", LETTER["id"], "--metrics", metrics)
    assert "998,000 characters more: --json shows all of it" in " ".join(shown.split())
    assert shown.count("y") < SHOWN + 200
    assert "value: above 1 MiB, which is not kept" in " ".join(shown.split())


def test_in_json_all_of_it_is_told(metrics: str) -> None:
    assert json.loads(told("show", LETTER["id"], "--metrics", metrics, "--json")) == LETTER


GAPS = [{"stream": "membership/community.here", "versions": [[2, 4], [7, 7]]}]


@pytest.mark.parametrize("metrics", [(200, {"gaps": GAPS, "next": None})], indirect=True)
def test_gaps_are_told_by_their_first_and_last_version(metrics: str) -> None:
    assert told("gaps", "--metrics", metrics) == "membership/community.here@2-4, 7\n"
    assert json.loads(told("gaps", "--metrics", metrics, "--json")) == {"gaps": GAPS}


@pytest.mark.parametrize("metrics", [(200, {"dead_letters": [LETTER], "next": None})], indirect=True)
def test_those_that_a_replay_of_all_leaves_are_said_to_wait(metrics: str) -> None:
    said = " ".join(told("replay", "--all", "--metrics", metrics).split())
    assert "No dead letters wait" not in said
    assert "or it cannot be read which fact they are: 1; look at each, replay it by id" in said


@pytest.mark.parametrize("metrics", [(200, {"dead_letters": [], "next": None})], indirect=True)
def test_where_none_waits_a_replay_of_all_says_so(metrics: str) -> None:
    assert told("replay", "--all", "--metrics", metrics) == "No dead letters wait.\n"


FOREIGN = LETTER | {
    "reason": "no fact is called \x1b[2Jred\u202e: is this a newer producer's?",
    "key": "\x00\x9b",
    "headers": [["ce_\x1b]0;\x07", "\r\n"]],
}


@pytest.mark.parametrize("metrics", [(200, FOREIGN | {"dead_letters": [FOREIGN], "next": None})], indirect=True)
@pytest.mark.parametrize("command", [["show", "x"], ["show", "x", "--json"], ["list"], ["list", "--json"]])
def test_what_a_terminal_would_obey_is_written_out(metrics: str, command: list[str]) -> None:
    shown = told(*command, "--metrics", metrics)
    assert [sign for sign in shown if not sign.isprintable() and sign != "\n"] == []
    assert r"\x1b[2Jred\u202e" in shown or r"\u001b[2Jred\u202e" in shown


@pytest.mark.parametrize(
    "address",
    [
        "ftp://127.0.0.1:1",
        "127.0.0.1:8004",
        "http://",
        "http://127.0.0.1:eight",
        "http://127.0.0.1:99999",
        "http://[::",
    ],
)
def test_what_is_no_address_is_refused_before_it_is_asked(address: str) -> None:
    assert "is no address such as http://127.0.0.1:" in " ".join(told("list", "--metrics", address).split())


def test_nobody_who_listens_is_a_service_that_is_away() -> None:
    with pytest.raises(MetricsAway, match=r"does not answer at http://127\.0\.0\.1:1:"):
        told("list", "--metrics", "http://127.0.0.1:1")


@pytest.mark.parametrize("metrics", [(503, {"detail": "MongoDB takes too long"})], indirect=True)
def test_a_service_that_cannot_answer_now_says_why_in_its_own_words(metrics: str) -> None:
    with pytest.raises(MetricsWaits, match=f"at {metrics} cannot do it now: MongoDB takes too long"):
        told("list", "--metrics", metrics)


@pytest.mark.parametrize("metrics", [(500, {"detail": "it broke"})], indirect=True)
def test_a_service_that_fails_is_not_away(metrics: str) -> None:
    with pytest.raises(MetricsFailed, match="failed: it broke"):
        told("list", "--metrics", metrics)


@pytest.mark.parametrize(
    "metrics",
    [
        (404, {"type": "/problems/http-404", "detail": "There is nothing at this address"}),
        (404, {"detail": "Not Found"}),
        (200, {"status": "ok"}),
        (200, []),
    ],
    indirect=True,
)
@pytest.mark.parametrize("command", [["list"], ["replay", "--all"], ["show", "x"], ["replay", "x"]])
def test_another_service_at_that_address_is_told_as_such(metrics: str, command: list[str]) -> None:
    with pytest.raises(NotMetrics, match=metrics):
        told(*command, "--metrics", metrics)


@pytest.mark.parametrize(
    "metrics", [(404, {"type": f"/problems/{named(UnknownDeadLetter)}", "detail": "none"})], indirect=True
)
def test_a_letter_that_is_not_there_is_refused_by_metrics_itself(metrics: str) -> None:
    assert told("replay", "x", "--metrics", metrics) == "x: none\n"


def test_an_address_with_a_space_is_nobodys() -> None:
    with pytest.raises(MetricsAway, match="exa mple"):
        told("list", "--metrics", "http://exa mple")


@pytest.mark.parametrize("command", [["show"], ["replay"], ["discard", "--why=a test"]])
def test_an_empty_id_is_refused(metrics: str, command: list[str]) -> None:
    assert "it is empty" in told(*command, "", "--metrics", metrics)


def test_an_id_that_would_be_another_path_is_refused(metrics: str) -> None:
    assert "'a/b' is none" in told("show", "a/b", "--metrics", metrics)


@pytest.mark.parametrize("metrics", [(200, {"folded": True})], indirect=True)
def test_an_empty_id_among_others_is_refused_before_any_is_settled(metrics: str) -> None:
    assert "folded" not in told("replay", "x", "", "--metrics", metrics)
