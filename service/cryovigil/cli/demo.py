"""`cryovigil demo`: the whole of it on one machine, with synthetic patients."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cryovigil.demo.inbox import Inbox
from cryovigil.demo.play import Outcome, play_on, play_once
from cryovigil.demo.stage import stage
from cryovigil.demo.verdict import Difference

DEFAULT_PORT = 8000


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Play to the end, judge what the EHR received, exit.")
    ] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the page; another one if it is in use.")
    ] = DEFAULT_PORT,
) -> None:
    """Streams synthetic patients through Kafka, and shows the cards as an EHR receives them."""
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    console = Console()
    work = _once(console, port) if once else _on(console, port)
    # To be stopped is how the endless play ends; the other one has then not shown anything.
    raise typer.Exit(asyncio.run(_stoppable(work, when_stopped=1 if once else 0)))


async def _once(console: Console, port: int) -> int:
    with console.status("Starting broker, service and EHR simulator") as status:
        async with stage(port) as running:
            console.print(f"EHR simulator: {running.page}")
            outcome = await play_once(running, datetime.now(UTC).date(), status.update)
    console.print(_summary(outcome, running.inbox))
    if not outcome.as_expected:
        console.print(_differences([*outcome.waiting_for, *outcome.unexpected]))
        return 1
    console.print("Every expected card arrived, and no other.")
    return 0


async def _on(console: Console, port: int) -> int:
    with console.status("Starting broker, service and EHR simulator") as status:
        async with stage(port) as running:
            console.print(f"Cards arrive here: [bold]{running.page}[/bold]  (Ctrl-C ends)")
            await play_on(running, datetime.now(UTC).date(), status.update)
    return 0


async def _stoppable(work: Coroutine[Any, Any, int], when_stopped: int) -> int:
    """Runs `work` until its end or a signal, after which every part is still stopped in order."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return when_stopped


def _summary(outcome: Outcome, inbox: Inbox) -> Table:
    table = Table(title="What the EHR received")
    table.add_column("")
    table.add_column("count", justify="right")
    table.add_row("events produced", str(outcome.events))
    for label, kind in (
        ("cards delivered", "created"),
        ("cards updated", "updated"),
        ("cards retracted", "retracted"),
    ):
        table.add_row(label, str(inbox.counts[kind]))
    return table


def _differences(differences: list[Difference]) -> Table:
    table = Table(title="Not as expected")
    for column in ("patient", "rule", "expected", "received"):
        table.add_column(column)
    for row in differences:
        table.add_row(row.patient, row.rule, row.expected, row.received)
    return table
