"""`cryovigil serve`: the service, from the settings of its environment, until a signal."""

from __future__ import annotations

import asyncio

import typer

from cryovigil import logs, settings
from cryovigil.app import build


def serve() -> None:
    """Watches Kafka, keeps what matters, owes the EHR cards and answers its hooks."""
    given = settings.load()
    logs.configure(given.log.level)
    raise typer.Exit(asyncio.run(build(given).run()))
