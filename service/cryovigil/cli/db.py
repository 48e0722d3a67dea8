"""`cryovigil db`: the schema of the database that the settings name."""

from __future__ import annotations

import typer

from cryovigil import settings
from cryovigil.adapters import schema

app = typer.Typer(no_args_is_help=True, help="The database's schema.")


@app.command()
def upgrade() -> None:
    """Brings it to the revision that this version needs. May run beside a serving process."""
    schema.migrate(_url())
    typer.echo(schema.HEAD)


@app.command()
def current() -> None:
    """The revision it is at, or `none`."""
    typer.echo(schema.current(_url()) or "none")


def _url() -> str:
    return settings.load().database_url.get_secret_value()
