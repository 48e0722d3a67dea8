"""The commands, one file a group."""

from __future__ import annotations

from typing import Annotated

import typer

from cryovigil import __version__
from cryovigil.cli import mappings

app = typer.Typer(
    name="cryovigil",
    help="Watches laboratory results for cryoglobulinemic vasculitis.",
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


app.add_typer(mappings.app, name="mappings")
