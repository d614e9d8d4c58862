from collections import Counter

import pytest

from services.gateway.replicas import ranked, stream_of

URLS = [f"http://membership-{number}" for number in range(4)]
STREAMS = [f"communities/{number}" for number in range(2_000)]


def test_a_stream_has_one_order_of_replicas_in_whatever_order_they_are_listed() -> None:
    assert all(ranked(URLS, stream) == ranked(URLS[::-1], stream) for stream in STREAMS)


def test_streams_are_spread_evenly() -> None:
    firsts = Counter(ranked(URLS, stream)[0] for stream in STREAMS)
    assert set(firsts) == set(URLS)
    assert min(firsts.values()) > 400


def test_a_replica_that_goes_moves_no_stream_but_its_own() -> None:
    gone, *left = URLS
    for stream in STREAMS:
        order = ranked(URLS, stream)
        assert ranked(left, stream) == [url for url in order if url != gone]


@pytest.mark.parametrize(
    ("path", "stream"),
    [
        ("/v1/communities/x", "communities/x"),
        ("/v1/communities/x/members/y/left", "communities/x"),
        ("/v1/people/y", "people/y"),
        ("/v1/people", None),
    ],
)
def test_a_command_is_about_the_first_id_in_its_path(path: str, stream: str | None) -> None:
    assert stream_of(path) == stream
