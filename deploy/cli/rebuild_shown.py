"""What a rebuild tells, in words."""

import json
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from rich.text import Text

from deploy.cli.printing import out, spans, visible

SHOWN_RUNS = 5
"""Runs of versions that are named of a stream."""
SHOWN = 40
"""Differences, and streams, that are shown; all that were kept are in --json."""


def show(told: dict[str, Any]) -> None:
    """Say in words what a rebuild tells."""
    match told:
        case {"stage": "begun", "build": build, "beside": beside}:
            out.print(f"build {build} is written beside build {beside}, which is read meanwhile")
        case {"stage": "away", "reason": reason}:
            out.print(Text(f"MongoDB or Kafka is away, so it waits: {reason}"))
        case {"stage": "unseen", "count": count, "streams": streams}:
            out.print(f"streams with facts that the old build has seen and the new topics do not hold: {count:,}")
            for one in streams[:SHOWN]:
                out.print(Text(visible(f"  {one['stream']}: {_versions(one['versions'])}")))
            _show_rest(count, len(streams))
        case {"stage": "compared"}:
            _show_comparison(told)
        case {"stage": "flipped", "build": build, "grace_s": grace}:
            out.print(f"build {build} has taken over; the old one is dropped in {grace:.0f} s (Ctrl-C leaves it there)")
        case {"stage": "done", "dropped": dropped}:
            out.print(f"dropped {', '.join(f'build {number}' for number in dropped) or 'nothing'}")
        case {"stage": "abandoned", "build": None}:
            out.print("there is no rebuild to abandon")
        case {"stage": "abandoned", "build": build}:
            out.print(f"build {build} is dropped; nothing is left of it")
        case _:
            pass


def _show_comparison(told: dict[str, Any]) -> None:
    """What came of the comparison: a line for each figure that differs, as far as there is room."""
    _show_apart(told)
    compared = f"{told['figures']:,} sums and {told['records']:,} records of {told['scopes']:,} things"
    if not told["counts"]:
        out.print(f"{compared} compared: all are equal")
        return
    out.print(f"{compared} compared: {sum(told['counts'].values()):,} are not equal")
    for one in told["differences"][:SHOWN]:
        changed = f"was {_cell(one['before'])}, becomes {_cell(one['after'])}"
        out.print(Text(visible(f"  {_where(one)}: {changed}")))
    for what, count in told["counts"].items():
        out.print(Text(f"{what}: {count:,}"))
    _show_rest(sum(told["counts"].values()), len(told["differences"]))


def _show_apart(told: dict[str, Any]) -> None:
    """The streams of which the two builds have not seen the same."""
    if not told["apart"]:
        return
    out.print(f"streams of which the two builds have not seen the same facts: {told['apart']:,}")
    for one in told["streams_apart"][:SHOWN]:
        out.print(Text(visible(f"  {one['stream']}: {', '.join(_apart(one))}")))
    _show_rest(told["apart"], len(told["streams_apart"]))
    if told["left_out"]:
        out.print(f"things that are not compared for it: {told['left_out']:,}")


def _apart(one: dict[str, Any]) -> Iterator[str]:
    if one["only_before"]:
        discarded = f" (discarded: {_versions(one['given_up'])})" if one["given_up"] else ""
        yield f"the old one alone has seen {_versions(one['only_before'])}{discarded}"
    if one["only_after"]:
        yield f"the new one alone has seen {_versions(one['only_after'])}"
    if one["ids"]:
        old, new = one["ids"]
        yield f"the last fact is {old} in the old one, and {new} in the new one"


def _versions(runs: Sequence[tuple[int, int]]) -> str:
    """Versions as `3, 7 to 9`, and how many more runs of them there are."""
    more = f" and {len(runs) - SHOWN_RUNS:,} more" if len(runs) > SHOWN_RUNS else ""
    return spans(runs[:SHOWN_RUNS], " to ") + more


def _show_rest(count: int, kept: int) -> None:
    if count > SHOWN:
        out.print(f"the first {SHOWN} are shown; --json tells up to {kept:,}")


def _where(one: dict[str, Any]) -> str:
    """The figure and the days on which it differs, or the record and its field."""
    if one["since"] is None:
        return f"{one['what']}, {one['key']}"
    part = f" {one['key']}" if one["key"] else ""
    when = f"{one['since']} to {one['as_at']}" if one["as_at"] else f"since {one['since']}"
    return f"{one['what']}{part} of {one['scope']}, {when}"


def _cell(value: Any) -> str:
    if value is None:
        return "not there"
    return textwrap.shorten(value if isinstance(value, str) else json.dumps(value), 60, placeholder=" …")
