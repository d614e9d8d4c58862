"""What a record keeps of its facts: enough to fold it again."""

from typing import Any

import pytest

from services.metrics.fold import _begun, _changed, _placed
from services.metrics.projections import Held, Placed, concerned
from tests import builders as a
from tests.builders import ANNA, recorded, stream

FACTS = [a.member_joined(), a.registration_made(registered_on="2019"), a.member_left(left_on="2020")]
NEWS = concerned(
    [recorded(FACTS[0], 1), recorded(FACTS[1], 1, stream(topic="convenings")), recorded(FACTS[2], 2)],
)
ID = f"participation/rehabilitation/{ANNA}"
HELD = Held(NEWS[ID].identity.empty(), {})


BEGUN: Any = _begun(ID, NEWS[ID], 0, HELD)
CHANGED: Any = _changed(ID, NEWS[ID], HELD, HELD)


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(BEGUN._doc["facts"], id="that begins"),
        pytest.param(CHANGED._doc["$push"]["facts"]["$each"], id="that changes"),
    ],
)
def test_a_record_keeps_every_fact_with_its_place(lines: list[str]) -> None:
    assert [_placed(line) for line in lines] == [
        Placed("membership", 1, FACTS[0]),
        Placed("convenings", 1, FACTS[1]),
        Placed("membership", 2, FACTS[2]),
    ]
