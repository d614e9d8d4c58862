"""The ODS reference list: which codes there are, whose they are, and which was meant by one that is not there. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from rapidfuzz import fuzz
from rapidfuzz.utils import default_process

ALIKE = 55.0  # of 100: below, a code or a name is no suggestion


class Listed(NamedTuple):
    code: str
    name: str


class OdsList:
    """Codes and names. Where a code comes twice, the last one holds: an operator's list corrects the shipped one."""

    def __init__(self, listed: Iterable[Listed]) -> None:
        self._listed = {one.code: one for one in listed}

    def __len__(self) -> int:
        return len(self._listed)

    def get(self, code: str) -> Listed | None:
        return self._listed.get(code)

    def nearest(self, code: str, name: str | None, most: int = 3) -> list[Listed]:
        """Those that may have been meant, the likeliest first: by name if there is one, and by code."""
        scored = sorted(((_likeness(one, code, name), one) for one in self._listed.values()), key=_likeliest_first)
        return [one for likeness, one in scored[:most] if likeness >= ALIKE]


def _likeness(listed: Listed, code: str, name: str | None) -> float:
    by_code = fuzz.ratio(code, listed.code)
    by_name = fuzz.token_set_ratio(name, listed.name, processor=default_process) if name else 0.0
    return max(by_code * 0.9, by_name)  # a name says more than two characters in common


def _likeliest_first(scored: tuple[float, Listed]) -> tuple[float, str]:
    likeness, listed = scored
    return -likeness, listed.code
