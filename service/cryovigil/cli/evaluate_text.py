"""The report of `cryovigil evaluate` for people: a patient at a time, cards first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

_STYLES = {"critical": "bold red", "warning": "bold yellow", "info": "bold blue"}


def write_text(console: Console, report: Mapping[str, Any]) -> None:
    """Writes the report. What came from a record is written as text, never as markup."""
    console.print(Text(f"As of {report['asOf'].isoformat()}, rules {report['rulebook']['digest']}"))
    for patient in report["patients"]:
        console.print()
        console.print(Text(patient["patient"], style="bold underline"))
        _write_patient(console, patient)
    for row in report["unreadable"]:
        console.print(Text(f"unreadable: {row['source']}: {row['reason']}", style="red"))


def _write_patient(console: Console, patient: Mapping[str, Any]) -> None:
    for card in patient["cards"]:
        label = Text(f"{card['indicator']}: ", style=_STYLES[card["indicator"]])
        console.print(label + Text(card["summary"]))
        console.print(Padding(Text(card.get("detail", "")), (0, 0, 0, 4)))
    if not patient["cards"]:
        console.print(Text("No card."))
    console.print(_facts(patient))


def _facts(patient: Mapping[str, Any]) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in patient["assessment"].items():
        table.add_row(Text(name), Text(_plain(value)))
    for answer in patient["answers"]:
        reasons = ", ".join([*answer["because"], *(f"missing {m}" for m in answer["missing"])])
        said = f"{answer['answer']}: {reasons}" if reasons else answer["answer"]
        table.add_row(Text(answer["rule"]), Text(said))
    if "changesAt" in patient:
        table.add_row(Text("changes at"), Text(patient["changesAt"].isoformat()))
    if patient["incomplete"]:
        table.add_row(Text("incomplete"), Text(", ".join(patient["incomplete"])))
    for row in patient["unmapped"]:
        table.add_row(Text("unmapped"), Text(f"{row['system']} {row['code']} ({row['count']})"))
    return table


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {member}" for name, member in value.items())
    return str(value)
