"""A service's replicas, and which of them a command goes to."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b


@dataclass(frozen=True)
class Service:
    name: str
    urls: tuple[str, ...]


def ranked(urls: Sequence[str], stream: str) -> list[str]:
    """The replicas in this stream's order of preference (rendezvous hashing).

    Every gateway with the same list ranks alike; a replica that goes takes along no stream but its own.
    """

    def weight(url: str) -> bytes:
        return blake2b(f"{url} {stream}".encode(), digest_size=8).digest()

    return sorted(urls, key=weight, reverse=True) if len(urls) > 1 else list(urls)


def stream_of(path: str) -> str | None:
    """The thing that a command is about, by the first id in its path: `/v1/communities/x/members/y` -> `communities/x`.

    None where the path names none: its id is yet to be minted.
    """
    _, *nouns = path.strip("/").split("/")
    return "/".join(nouns[:2]) if len(nouns) > 1 else None
