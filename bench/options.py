"""What can be asked of a bench on the command line."""

import argparse
from dataclasses import dataclass
from typing import Self

FACTS = 1_000_000


@dataclass(frozen=True)
class Options:
    benches: tuple[str, ...]
    """All if none is named."""
    facts: int = FACTS
    """About so many facts on Kafka, for `streams` and `rebuild`."""
    rounds: int = 1
    """Each contender of `streams` runs once in every round."""
    only: tuple[str, ...] = ()
    """The contenders of `streams`; all if none is named."""
    members: tuple[int, ...] = (100, 10_000, 100_000)
    before: tuple[int, ...] = (10_000, 1_000_000, 5_000_000)
    """For `flatness`: how large a community is, and how many facts came before, when it is measured."""

    @classmethod
    def parsed(cls, benches: tuple[str, ...], contenders: tuple[str, ...]) -> Self:
        parser = argparse.ArgumentParser(prog="python -m bench", description="Measures side by side, on own engines.")
        parser.add_argument("benches", nargs="*", metavar="bench", help=f"of {', '.join(benches)}; all by default")
        parser.add_argument("--facts", type=_count, default=FACTS, help="for streams and rebuild (%(default)s)")
        parser.add_argument("--rounds", type=_count, default=1, help="of streams (%(default)s)")
        parser.add_argument("--only", nargs="+", choices=contenders, default=[], help="contenders of streams")
        parser.add_argument("--members", nargs="+", type=_count, default=cls.members, help="for flatness (%(default)s)")
        parser.add_argument("--before", nargs="+", type=_count, default=cls.before, help="for flatness (%(default)s)")
        given = parser.parse_args()
        if unknown := [name for name in given.benches if name not in benches]:
            parser.error(f"no bench is called {unknown[0]}: there are {', '.join(benches)}")
        return cls(
            tuple(given.benches) or benches,
            given.facts,
            given.rounds,
            tuple(given.only),
            tuple(given.members),
            tuple(given.before),
        )


def _count(text: str) -> int:
    number = int(text.replace(",", "").replace("_", ""))
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than one")
    return number
