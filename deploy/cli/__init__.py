"""The `praxis` command: its subcommands, each in a module of its own, put together here."""

import errno
import sys

import typer

from deploy.cli import dead_letters, demo, figures, importing, lifecycle, rebuild, refill
from deploy.cli.printing import complain
from deploy.local.failures import Failure

app = typer.Typer(
    name="praxis",
    help="Communities of practice and the value they produce, on this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("up")(lifecycle.up)
app.command("down")(lifecycle.down)
app.command("status")(lifecycle.status)
app.command("demo")(demo.demo)
app.command("figures")(figures.figures)
app.command("import")(importing.import_)
app.command("rebuild")(rebuild.rebuild)
app.command("refill")(refill.refill)
app.add_typer(dead_letters.app, name="dead-letters")


def main() -> None:
    """Run the command; a failure is told with its remedy, without a traceback, and exits with 1."""
    try:
        app()
    except Failure as failure:
        complain(failure)
        sys.exit(1)
    except OSError as problem:
        if problem.errno != errno.ENOSPC:
            raise
        what = f"The disk is full: there is no room to write {problem.filename or 'what this command says'}."
        remedy = "make room, or write it elsewhere, then give the same command again: nothing is done twice."
        complain(Failure(what, remedy))
        sys.exit(1)
