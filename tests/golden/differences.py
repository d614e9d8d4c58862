"""Where what was recorded and what is found differ, in words. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

Path = tuple[str, ...]

AT_MOST = 20
"""So many are told one by one."""
REMEDY = "see docs/how-to/release.md"
NOTHING = object()


class Difference(NamedTuple):
    where: Path
    recorded: Any
    found: Any


def differences(recorded: Mapping[str, Any], found: Mapping[str, Any]) -> list[Difference]:
    """Every value that is another one, or there on one side only, in order of place."""
    before, now = dict(_values(recorded)), dict(_values(found))
    places = sorted(before.keys() | now.keys())
    both = [Difference(place, before.get(place, NOTHING), now.get(place, NOTHING)) for place in places]
    return [one for one in both if one.recorded != one.found]


def told(differ: Sequence[Difference], verb: str = "folded") -> str:
    """A line of each, the first `AT_MOST` of them, how many more there are, and where it says what to do."""
    lines = [
        f"{', '.join(one.where)}: recorded {_worded(one.recorded)}, {verb} {_worded(one.found)}"
        for one in differ[:AT_MOST]
    ]
    if len(differ) > AT_MOST:
        lines.append(f"and {len(differ) - AT_MOST:,} more")
    return "\n".join(lines) + f"; {REMEDY}"


def _values(tree: Any, place: Path = ()) -> Iterator[tuple[Path, Any]]:
    """What stands at the ends of a tree; a list of plain values is one of them, and what is empty is none."""
    match tree:
        case Mapping():
            for name, value in tree.items():
                yield from _values(value, (*place, name) if name else place)
        case [Mapping(), *_]:
            for number, value in enumerate(tree, start=1):
                yield from _values(value, (*place, str(number)))
        case []:
            pass
        case _:
            yield place, tree


def _worded(value: Any) -> str:
    if value is NOTHING:
        return "nothing"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
