"""`praxis dead-letters`: what metrics could not understand; looked at, replayed, discarded."""

import getpass
import http.client
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from typing import Annotated, Any
from urllib.parse import SplitResult, quote, urlencode, urlsplit

import typer
from rich.table import Table
from rich.text import Text

from deploy.cli.importing import AsJson
from deploy.cli.printing import err, out, spans, visible
from deploy.local.failures import Failure
from deploy.local.settings import Ports

PATIENCE_S = 30.0
LONGEST_NAME = 30
"""Columns of a header's name before it is folded."""
LISTED = 300
"""Characters of a reason or a position."""
SHOWN = 2_000
"""Characters of a key, a header or a value."""
NO_SUCH_LETTER = "/unknown-dead-letter"
"""The end of the type of problem that metrics alone answers with 404."""


def _usual_metrics() -> str:
    return f"http://127.0.0.1:{Ports.from_environment().metrics}"


MetricsUrl = Annotated[
    str,
    typer.Option(
        "--metrics",
        envvar="PRAXIS_METRICS",
        metavar="URL",
        help="Where the metrics service listens; where `praxis up` starts it if left out.",
        default_factory=_usual_metrics,
        show_default=False,
    ),
]
Ids = Annotated[list[str], typer.Argument(metavar="ID…", help="As `list` shows them.", show_default=False)]
By = Annotated[
    str, typer.Option("--by", help="Who decides it: kept with the letter.", metavar="NAME", show_default="your login")
]
At = Annotated[
    str | None, typer.Option("--at", help="When it was decided, as 2026-01-31T12:00Z; now if left out.", metavar="TIME")
]

app = typer.Typer(help="Look at what metrics could not understand, replay it, or do without it.", no_args_is_help=True)


class MetricsAway(Failure):
    def __init__(self, url: str, why: str) -> None:
        super().__init__(
            f"The metrics service does not answer at {url}: {why}.",
            "`praxis status` says what runs; another address is given with --metrics or PRAXIS_METRICS. "
            "The same command may be given again: nothing is done twice.",
        )


class MetricsWaits(Failure):
    def __init__(self, url: str, why: str) -> None:
        super().__init__(
            f"The metrics service at {url} cannot do it now: {why}.",
            "`praxis status` says what it waits for. The same command may be given again: nothing is done twice.",
        )


class MetricsFailed(Failure):
    def __init__(self, url: str, why: str) -> None:
        super().__init__(
            f"The metrics service at {url} failed: {why}.",
            "its log says more. It is not known whether this was done: give the same command again.",
        )


class NotMetrics(Failure):
    def __init__(self, url: str) -> None:
        super().__init__(
            f"What answers at {url} is not the metrics service.", "give its address with --metrics or PRAXIS_METRICS."
        )


class Refused(Exception):
    """What the service does not do, in its own words."""


@app.command("list")
def list_(
    all_: Annotated[bool, typer.Option("--all", help="Those too that wait for nobody.")] = False,
    *,
    metrics: MetricsUrl,
    as_json: AsJson = False,
) -> None:
    """List the dead letters that wait for somebody."""
    letters = list(_letters(metrics, settled_too=all_))
    if as_json:
        out.print_json(json.dumps({"dead_letters": letters}), ensure_ascii=True)
        return
    if not letters:
        out.print("There are no dead letters." if all_ else "No dead letters wait.")
        return
    for letter in letters:
        state = f"{letter['state']}, missing" if letter["missing"] else letter["state"]
        out.print(
            Text.assemble(
                (letter["id"], "bold"), f"  {letter['buried_at'][:16]}  {state}  {_short(letter['position'])}"
            )
        )
        out.print(Text(f"    {_short(letter['reason'])}"))


@app.command()
def gaps(*, metrics: MetricsUrl, as_json: AsJson = False) -> None:
    """List the versions that are missing and of which no dead letter waits: on their way, or not on Kafka."""
    found = list(_pages(metrics, "gaps", {}))
    if as_json:
        out.print_json(json.dumps({"gaps": found}), ensure_ascii=True)
        return
    if not found:
        out.print("Nothing is missing, but for what dead letters wait for.")
    for gap in found:
        out.print(Text(visible(f"{gap['stream']}@{spans(gap['versions'], '-')}")))


@app.command()
def show(id: Annotated[str, typer.Argument(metavar="ID")], *, metrics: MetricsUrl, as_json: AsJson = False) -> None:
    """Show one: why it could not be understood, where it stood, and the record as it was."""
    try:
        letter = _ask(metrics, "GET", _path(id), holds="left_out")
    except Refused as refused:
        raise Failure(str(refused)) from None
    if as_json:
        out.print_json(json.dumps(letter), ensure_ascii=True)
        return
    sheet = Table(box=None, pad_edge=False, show_header=False)
    sheet.add_column(overflow="fold", max_width=LONGEST_NAME)
    sheet.add_column(overflow="fold")
    for name in ("id", "state", "reason", "position", "missing", "topic", "partition", "offset", "buried_at", "key"):
        sheet.add_row(name, Text(_cut(letter[name])))
    for how in ("replayed", "discarded"):
        if done := letter[how]:
            because = f", because {done['why']}" if done["why"] else ""
            sheet.add_row(how, Text(visible(f"by {done['by']} on {done['at'][:16]}{because}")))
    for name, value in letter["headers"]:
        sheet.add_row(Text(_cut(f"header {name}")), Text(_cut(value)))
    sheet.add_row("value", Text(_cut(letter["value"])))
    if letter["left_out"]:
        sheet.add_row("left out", Text(f"{' and '.join(letter['left_out'])}: above 1 MiB, which is not kept"))
    out.print(sheet)


@app.command()
def replay(
    ids: Ids = [],  # noqa: B006 - typer makes a list of its own
    all_: Annotated[bool, typer.Option("--all", help="All that wait and stand in their place.")] = False,
    by: By = "",
    why: Annotated[str, typer.Option("--why", help="Kept with the letter.", metavar="TEXT")] = "",
    at: At = None,
    *,
    metrics: MetricsUrl,
    as_json: AsJson = False,
) -> None:
    """Fold them, now that a release runs that understands them. Each counts once, however often it is replayed."""
    if bool(ids) == all_:
        raise typer.BadParameter("name the dead letters, or say --all", param_hint="ID…")
    if all_:
        waiting = list(_letters(metrics, settled_too=False))
        chosen = [letter["id"] for letter in waiting if letter["position"]]
        if left := len(waiting) - len(chosen):
            err.print(
                "left, as they stand where such a fact does not belong, or it cannot be read which fact they are: "
                f"{left:,}; look at each, replay it by id"
            )
        if not waiting and not as_json:
            out.print("No dead letters wait.")
    else:
        chosen = ids

    def told(answer: Any) -> str:
        return "folded" if answer["folded"] else "was there before: nothing to fold"

    _settle(metrics, "replay", chosen, _decision(by, why, at), told, as_json)


@app.command()
def discard(
    ids: Ids,
    why: Annotated[
        str, typer.Option("--why", help="Why figures can do without: kept with the letter.", metavar="TEXT")
    ],
    by: By = "",
    at: At = None,
    *,
    metrics: MetricsUrl,
    as_json: AsJson = False,
) -> None:
    """Do without them, for good: their versions are no longer missing, the figures are complete again.

    What one changed that was replayed stays until the next rebuild, which does without it.
    """

    def told(answer: Any) -> str:
        stays = "; what it changed stays until `praxis rebuild`" if answer["folded"] else ""
        return f"discarded{stays}"

    _settle(metrics, "discard", ids, _decision(by, why, at), told, as_json)


def _settle(
    metrics: str, how: str, ids: Sequence[str], decision: dict[str, str], told: Callable[[Any], str], as_json: bool
) -> None:
    """One after the other; those that are refused do not keep the others from being settled."""
    outcomes: list[dict[str, Any]] = []
    paths = [_path(id) for id in ids]  # all are looked at before the first is settled
    for id, path in zip(ids, paths, strict=True):
        try:
            answer = _ask(
                metrics, "POST", f"{path}/{how}", decision, holds="folded" if how == "replay" else "discarded"
            )
        except Refused as refused:
            outcomes.append({"id": id, "refused": str(refused)})
            if not as_json:
                err.print(Text(visible(f"{id}: {refused}"), style="red"))
        else:
            outcomes.append({"id": id, "outcome": told(answer)})
            if not as_json:
                out.print(Text(visible(f"{id}: {told(answer)}")))
    if as_json:
        out.print_json(json.dumps({"dead_letters": outcomes}), ensure_ascii=True)
    raise typer.Exit(1 if any("refused" in outcome for outcome in outcomes) else 0)


def _decision(by: str, why: str, at: str | None) -> dict[str, str]:
    return {"by": by or _login(), "why": why, **({"at": at} if at else {})}


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        raise Failure("It is not said who decides this.", "name them with --by.") from None


def _letters(metrics: str, *, settled_too: bool) -> Iterator[dict[str, Any]]:
    return _pages(metrics, "dead-letters", {"all": str(settled_too).lower()})


def _pages(metrics: str, what: str, which: dict[str, str]) -> Iterator[dict[str, Any]]:
    after, holds = "", what.replace("-", "_")
    while after is not None:
        query = urlencode({**which, "after": after, "limit": 1_000})
        try:
            page = _ask(metrics, "GET", f"{what}?{query}", holds=holds)
        except Refused:  # metrics refuses no list
            raise NotMetrics(metrics) from None
        yield from page[holds]
        after = page["next"]


def _path(id: str) -> str:
    if not id.strip():
        raise typer.BadParameter("it is empty; `praxis dead-letters list` shows them", param_hint="ID")
    if "/" in id:  # its path would be another
        raise typer.BadParameter(f"'{id}' is none; `praxis dead-letters list` shows them", param_hint="ID")
    return f"dead-letters/{quote(id, safe='')}"


def _ask(url: str, method: str, path: str, body: dict[str, str] | None = None, *, holds: str) -> Any:
    """What it answers; metrics' answer has a field `holds`.

    Raises:
        Refused: it says why not.
        MetricsAway, MetricsWaits: it does not answer, or not now.
        NotMetrics: something else does.
    """
    address = _address(url)
    connect = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    try:
        with closing(connect(address.netloc, timeout=PATIENCE_S)) as connection:
            content = json.dumps(body) if body is not None else None
            whole = f"{address.path.rstrip('/')}/v1/{path}"
            connection.request(method, whole, content, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            status, told = answer.status, json.loads(answer.read())
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise NotMetrics(url) from None
    except (OSError, http.client.HTTPException, ValueError) as problem:
        raise MetricsAway(url, str(problem) or type(problem).__name__) from None
    if not isinstance(told, dict):
        raise NotMetrics(url)
    if status == http.client.SERVICE_UNAVAILABLE:
        raise MetricsWaits(url, str(told.get("detail", status)).rstrip("."))
    if status >= 500:
        raise MetricsFailed(url, str(told.get("detail", status)))
    if status == http.client.NOT_FOUND and not str(told.get("type")).endswith(NO_SUCH_LETTER):
        raise NotMetrics(url)
    if status >= 400:
        raise Refused(str(told.get("detail", status)))
    if holds not in told:
        raise NotMetrics(url)
    return told


def _address(url: str) -> SplitResult:
    with suppress(ValueError):  # its port is none, or its brackets
        address = urlsplit(url)
        if address.scheme in ("http", "https") and address.hostname and address.port != 0:
            return address
    raise typer.BadParameter(f"'{url}' is no address such as http://127.0.0.1:8083", param_hint="--metrics")


def _short(value: str | None) -> str:
    word = visible(value or "")
    return word if len(word) <= LISTED else f"{word[:LISTED]} …"


def _cut(value: Any) -> str:
    word = visible(_word(value))
    rest = len(word) - SHOWN
    return word if rest <= 0 else f"{word[:SHOWN]} … and {rest:,} characters more: --json shows all of it"


def _word(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
