"""How the command speaks: results on stdout, progress and failures on stderr."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from deploy.local.failures import Failure
from deploy.local.processes import Say

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def progress(first: str) -> Iterator[Say]:
    """One line that says what is being waited for; where nobody watches, a line for each new thing."""
    if not err.is_terminal:
        told: set[str] = set()

        def tell(text: str) -> None:
            if text not in told:
                told.add(text)
                err.print(Text(text))

        yield tell
        return
    with err.status(Text(first)) as status:
        yield lambda text: status.update(Text(text))


def visible(text: str) -> str:
    """The text with what a terminal would obey, or could not show, written out, as `\\x1b`."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def spans(runs: Iterable[tuple[int, int]], between: str) -> str:
    """Runs of versions, each by its first and last, as `3, 7 to 9`; `between` stands between the two."""
    return ", ".join(str(first) if first == last else f"{first}{between}{last}" for first, last in runs)


def complain(failure: Failure) -> None:
    err.print(Text(visible(failure.what), style="bold red"))
    if failure.remedy:
        err.print(Text(visible(f"What to do: {failure.remedy}")))
    if failure.log:
        err.print(Text("Its last lines:"))
        for line in failure.log:
            err.print(Text(visible(f"  {line}"), style="dim"))
