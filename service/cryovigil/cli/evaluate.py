"""`cryovigil evaluate`: files of FHIR in, assessments and cards out. Nothing is kept or sent."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Protocol

import msgspec
import typer
from msgspec import Raw
from rich.console import Console

from cryovigil.cli.evaluate_core import Assessed
from cryovigil.cli.evaluate_text import write_text
from cryovigil.envelopes import lines
from cryovigil.errors import Unreadable
from cryovigil.facts.coverage import NONE, WHOLE, Coverage
from cryovigil.normalize.readings import AnyReading, Update
from cryovigil.rules import Answer, CannotTell, Fired
from cryovigil.timeline import standing

SOME_UNREADABLE = 3
STDIN = Path("-")
_FEED = "evaluate"
"""One feed for all files: bodies without a version then count in the order they are given."""


class Core(Protocol):
    """The journey, with the rulebook and mappings in use. failures: rules that raised, and why."""

    failures: set[tuple[str, str]]

    @property
    def digest(self) -> str:
        """`sha256:` and the rulebook's digest."""
        ...

    def read(self, value: bytes, feed: str, offset: int) -> Iterator[Update | Unreadable]:
        """The resource versions of one record, and what of it could not be read."""
        ...

    def assess(
        self,
        patient: str,
        readings: Sequence[AnyReading],
        incomplete: frozenset[str],
        as_of: datetime,
    ) -> Assessed:
        """One patient at one instant."""
        ...


class Format(StrEnum):
    """How the answer is written."""

    JSON = "json"
    TEXT = "text"


class _Input:
    """Everything that was read, and what could not be."""

    def __init__(self) -> None:
        self.updates: list[Update] = []
        self.unreadable: list[dict[str, str]] = []
        self.harmed: set[str] = set()

    def take(self, core: Core, source: str, value: bytes, offset: int) -> None:
        """One record: a resource, a Bundle, or an envelope of either."""
        for item in core.read(value, _FEED, offset):
            if isinstance(item, Unreadable):
                self._set_aside(source, item)
            else:
                self.updates.append(item)

    def _set_aside(self, source: str, error: Unreadable) -> None:
        self.unreadable.append({"source": source, "reason": error.reason})
        known = [u.patient for u in self.updates if _named(u) == error.resource and u.patient]
        patient = error.patient or (known[-1] if known else None)
        if patient is not None:
            self.harmed.add(patient)

    @property
    def patients(self) -> list[str]:
        return sorted({u.patient for u in self.updates if u.patient} | self.harmed)


def _named(update: Update) -> str:
    """`Type/id`, as an Unreadable names its resource."""
    return update.identity.rpartition("|")[2]


def command(load: Callable[[Coverage], Core]) -> Callable[..., None]:
    """The command on the core that `load` gives; it may raise RulebookInvalid, SettingsInvalid."""

    def evaluate(
        paths: Annotated[
            list[Path],
            typer.Argument(
                help="FHIR JSON or NDJSON; - reads standard input.",
                metavar="PATH...",
                callback=_present,
            ),
        ],
        as_of: Annotated[
            str, typer.Option(metavar="INSTANT", help="With its offset; now by default.")
        ] = "",
        partial: Annotated[
            bool, typer.Option("--partial", help="Not the whole record: absence proves nothing.")
        ] = False,
        form: Annotated[Format, typer.Option("--format")] = Format.JSON,
    ) -> None:
        """Says what the rules say of the given record. Exit 3: some input was unreadable."""
        instant = _instant(as_of) if as_of else datetime.now(UTC)
        core = load(NONE if partial else WHOLE)
        report = evaluated(core, _records(paths), instant)
        if form is Format.TEXT:
            write_text(Console(), report)
        else:
            typer.echo(msgspec.json.format(msgspec.json.encode(report)).decode())
        for rule, error in sorted(core.failures):
            typer.echo(f"rule {rule} failed with {error}: it could not tell", err=True)
        if core.failures:
            raise typer.Exit(1)
        if report["unreadable"]:
            raise typer.Exit(SOME_UNREADABLE)

    return evaluate


def evaluated(core: Core, records: Iterable[tuple[str, bytes]], as_of: datetime) -> dict[str, Any]:
    """What `evaluate` writes. records: where each stands, and its bytes."""
    given = _Input()
    for offset, (source, value) in enumerate(records):
        given.take(core, source, value, offset)
    by_patient: dict[str, list[AnyReading]] = {patient: [] for patient in given.patients}
    for reading in standing(given.updates):
        by_patient.setdefault(reading.patient, []).append(reading)
    patients = []
    for patient, readings in sorted(by_patient.items()):
        harm = frozenset({"unreadable-event"} if patient in given.harmed else ())
        assessed = core.assess(patient, readings, harm, as_of)
        patients.append(_shown(patient, assessed, given.updates))
    return {
        "asOf": as_of,
        "rulebook": {"digest": core.digest},
        "patients": patients,
        "unreadable": given.unreadable,
    }


def _shown(patient: str, assessed: Assessed, updates: Iterable[Update]) -> dict[str, Any]:
    unmapped = Counter(
        coding for update in updates if update.patient == patient for coding in update.unmapped
    )
    changes = {"changesAt": assessed.changes_at} if assessed.changes_at else {}
    return {
        "patient": patient,
        "assessment": assessed.assessment,
        "answers": [_answer(rule, answer) for rule, answer in sorted(assessed.answers.items())],
        "cards": assessed.cards,
        **changes,
        "incomplete": assessed.incomplete,
        "unmapped": [
            {"system": system, "code": code, "count": count}
            for (system, code), count in sorted(unmapped.items(), key=lambda row: (-row[1], row[0]))
        ],
    }


def _answer(rule: str, answer: Answer) -> dict[str, Any]:
    fired, unclear = isinstance(answer, Fired), isinstance(answer, CannotTell)
    return {
        "rule": rule,
        "answer": "fired" if fired else "cannot-tell" if unclear else "quiet",
        "because": getattr(answer, "criteria", getattr(answer, "because", ())),
        "missing": getattr(answer, "missing", ()),
        "evidence": list(dict.fromkeys(reading.reference for reading in answer.evidence)),
    }


def _records(paths: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    """Each record with where it stands: `file`, or `file:line` in NDJSON."""
    for path in paths:
        name = "-" if path == STDIN else path.name
        content = sys.stdin.buffer.read() if path == STDIN else path.read_bytes()
        yield from split(name, content)


def split(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """The records of one file.

    NDJSON is what has several lines of which one at least is JSON of its own, while the whole is
    not: a single garbled line among good ones is then the only one that is lost.
    """
    numbered = list(lines(content))
    if len(numbered) > 1 and not _is_json(content) and any(_is_json(row) for _, row in numbered):
        for number, row in numbered:
            yield f"{name}:{number}", row
    else:
        yield name, content


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text.removeprefix(b"\xef\xbb\xbf"), type=Raw)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False
    return True


def _present(paths: list[Path]) -> list[Path]:
    for path in paths:
        if path != STDIN and not path.is_file():
            raise typer.BadParameter(f"there is no file {path}")
    return paths


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is not None:
            return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise typer.BadParameter("an instant with its offset, as 2026-01-31T00:00:00Z")
