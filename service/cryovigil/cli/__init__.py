"""The commands, one file a group."""

from __future__ import annotations

from typing import Annotated

import typer

from cryovigil import __version__
from cryovigil.cli import db, demo, dlq, evaluate, evaluate_core, mappings, rules, serve

app = typer.Typer(
    name="cryovigil",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print it and exit."),
    ] = False,
) -> None:
    """Watches laboratory results for cryoglobulinemic vasculitis."""


app.command("serve")(serve.serve)
app.command("evaluate")(evaluate.command(evaluate_core.load_core))
app.command("demo")(demo.demo)
app.add_typer(mappings.app, name="mappings")
app.add_typer(rules.app, name="rules")
app.add_typer(db.app, name="db")
app.add_typer(dlq.app, name="dlq")
