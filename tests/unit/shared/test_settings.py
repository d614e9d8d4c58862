"""Settings that are not as they must be are named, with how they are written."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from pydantic_settings import BaseSettings

from deploy.local.failures import Misset
from deploy.local.settings import Ports
from services.gateway.settings import Settings as OfGateway
from services.metrics.settings import Settings as OfMetrics
from shared.settings import InvalidSettings, configured, read

ENGINES = {"PRAXIS_KAFKA": "127.0.0.1:1", "PRAXIS_MONGO": "mongodb://somebody:secret@127.0.0.1:1"}


@pytest.mark.parametrize(
    ("kind", "set_to", "told"),
    [
        (OfMetrics, {"PRAXIS_STUCK_AFTER": "abc"}, r"PRAXIS_STUCK_AFTER: .* \(ISO 8601, as PT10S, or seconds\)"),
        (OfMetrics, {"PRAXIS_SESSION_TIMEOUT": "0"}, "PRAXIS_SESSION_TIMEOUT: .*or equal to 6 seconds"),
        (OfMetrics, {"PRAXIS_STUCK_AFTER": "0"}, "PRAXIS_STUCK_AFTER: .*greater than 0"),
        (OfMetrics, {"PRAXIS_MOST_CACHED": "-1"}, "PRAXIS_MOST_CACHED: .*greater than or equal to 0"),
        (OfMetrics, {"PRAXIS_DATABASE": "a b"}, "PRAXIS_DATABASE: .*letters, digits, - and _ only"),
        (OfMetrics, {"PRAXIS_GROUP": ""}, "PRAXIS_GROUP: .*at least 1 character"),
        (OfMetrics, {"PRAXIS_DEAD_LETTER_SHARE": "2"}, "PRAXIS_DEAD_LETTER_SHARE: .*less than or equal to 1"),
        (OfMetrics, {"PRAXIS_PORT": "eight", "PRAXIS_PARTITIONS": "0"}, "PRAXIS_PORT: .*; PRAXIS_PARTITIONS: "),
        (OfGateway, {}, "PRAXIS_MEMBERSHIP_URLS: .*it must be set"),
        (OfGateway, {"PRAXIS_MEMBERSHIP_URLS": "http://here"}, "PRAXIS_MEMBERSHIP_URLS, .*each is a JSON list"),
    ],
)
def test_each_is_named_as_it_is_set(
    kind: type[BaseSettings], set_to: Mapping[str, str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**ENGINES, **set_to}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings, match=told) as invalid:
        read(kind)
    assert "secret" not in str(invalid.value)
    with pytest.raises(SystemExit, match=told):
        configured(kind)


@pytest.mark.parametrize("written", ["PT90S", "90", "90.0", "PT1M30S"])
def test_a_duration_is_written_as_iso_8601_or_in_seconds(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**ENGINES, "PRAXIS_STUCK_AFTER": written}.items():
        monkeypatch.setenv(name, value)
    assert read(OfMetrics).stuck_after == timedelta(seconds=90)


def test_a_port_of_this_machine_is_named_by_its_own_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRAXIS_KAFKA_PORT", "abc")
    with pytest.raises(Misset, match=r"PRAXIS_KAFKA_PORT: .*valid integer"):
        Ports.from_environment()
