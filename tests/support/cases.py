"""Short forms of readings, and the cases of tests/scenarios that are written in them.

The same forms serve unit tests of facts (`facts_of`, `timeline_of`) and the case files
(`read_cases`). README.md of tests/scenarios explains them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from msgspec import Struct

from cryovigil import strict_yaml
from cryovigil.facts import Facts
from cryovigil.facts.as_of import AsOf
from cryovigil.facts.coverage import NONE, WHOLE, Coverage
from cryovigil.normalize.codes import Concept, counted_as, load_concepts
from cryovigil.normalize.readings import AnyReading, Finding, Person, Result, Treatment, When
from cryovigil.normalize.times import place, when
from cryovigil.rules.fact_tables import FactTables, load_fact_tables
from cryovigil.timeline import Timeline

MAPPINGS = Path(__file__).parents[2] / "mappings"
ZONE = "Europe/Paris"

Form: TypeAlias = Mapping[str, Any]

_ANY = {"reference", "version"}
_NUMBERS = {"value", "low", "high", "lloq", "top"}
_TEXTS = {"comparator", "word", "flag", "kind", "problem", "shown", "shown_range"}
_RESULT = _NUMBERS | _TEXTS | {"range_unread"}
_RESULT_FORM = _ANY | _RESULT | {"concept", "on", "issued", "status"}
_DATED = {"updated", "shown"}
_FINDING_STATUS = {"clinical", "verification", "category"}
_FINDING_FORM = _ANY | _DATED | _FINDING_STATUS | {"condition", "onset", "recorded", "abated"}
_COURSE = {"start", "end", "authored", "asserted", "valid_until"}
_TREATMENT_FORM = _ANY | _DATED | _COURSE | {"treatment", "form", "status"}


class Expect(Struct, frozen=True, forbid_unknown_fields=True):
    """What a case expects; whatever is left out is not looked at."""

    answer: str
    indicator: str | None = None
    criteria: list[str] | None = None
    missing: list[str] | None = None
    because: list[str] | None = None
    changes: date | None = None
    summary: str | None = None
    card_has: list[str] = []
    card_lacks: list[str] = []
    assessment: dict[str, Any] = {}


class Case(Struct, frozen=True, forbid_unknown_fields=True):
    """One case: readings at an instant, and what a rule must make of them."""

    name: str
    as_of: Any
    readings: list[dict[str, Any]]
    expect: Expect
    coverage: str | dict[str, date] = "whole"
    born: Any = None
    deceased: bool = False
    zone: str = ZONE
    incomplete: list[str] = []

    def facts(self, as_of: object = None) -> Facts:
        """The case's facts, at its own as-of or at another one."""
        return facts_of(
            self.readings,
            as_of=as_of or self.as_of,
            coverage=self.coverage,
            born=self.born,
            deceased=self.deceased,
            zone=self.zone,
            incomplete=self.incomplete,
        )


def read_cases(file: Path) -> tuple[Case, ...]:
    """The cases of one file."""
    tree = strict_yaml.parse(file.read_bytes(), file.name, list[dict[str, Any]])
    for case in tree:
        # YAML 1.1 reads the bare word `on` as true, as a key too.
        case["readings"] = [
            {"on" if key is True else key: value for key, value in form.items()}
            for form in case.get("readings", ())
        ]
    return strict_yaml.convert(tree, file.name, tuple[Case, ...])


def facts_of(
    forms: Sequence[Form],
    *,
    as_of: object = "2026-01-31",
    coverage: str | Mapping[str, date] | Coverage = "whole",
    born: object = None,
    deceased: bool = False,
    zone: str = ZONE,
    incomplete: Iterable[str] = (),
) -> Facts:
    """Facts of readings in short form. A day as as-of means 12:00 of it, local time."""
    known = timeline_of(forms, born=born, deceased=deceased, zone=zone, incomplete=incomplete)
    return facts_from(known, as_of=as_of, coverage=coverage, zone=zone)


def facts_from(
    timeline: Timeline,
    *,
    as_of: object = "2026-01-31",
    coverage: str | Mapping[str, date] | Coverage = "whole",
    zone: str = ZONE,
) -> Facts:
    """Facts of a timeline, with the numbers of the shipped fact files."""
    instant = AsOf(_instant(as_of, ZoneInfo(zone)), ZoneInfo(zone))
    tables = fact_tables()
    return Facts(
        timeline,
        instant,
        _coverage(coverage),
        parameters=tables.parameters_on(instant.today),
        concepts=tables.concepts,
    )


def timeline_of(
    forms: Sequence[Form],
    *,
    born: object = None,
    deceased: bool = False,
    zone: str = ZONE,
    incomplete: Iterable[str] = (),
) -> Timeline:
    """A timeline of readings in short form."""
    readings = readings_of(forms, born=born, deceased=deceased, zone=zone)
    return Timeline(readings, also=counts_as(), incomplete=incomplete)


def readings_of(
    forms: Sequence[Form], *, born: object = None, deceased: bool = False, zone: str = ZONE
) -> list[AnyReading]:
    """Readings of their short forms, numbered in their order, and the patient."""
    site = ZoneInfo(zone)
    readings = [reading_of(form, number, site) for number, form in enumerate(forms, 1)]
    patient = Person(
        concept="patient",
        reference="Patient/1",
        patient="Patient/1",
        source="test",
        born=_when(born, site),
        deceased=deceased,
    )
    return [*readings, patient]


def reading_of(form: Form, number: int, site: ZoneInfo) -> AnyReading:
    """One reading of its short form; a member that the form does not have is refused."""
    if "concept" in form:
        return _result(form, number, site)
    if "condition" in form:
        return _finding(form, number, site)
    if "treatment" in form:
        return _treatment(form, number, site)
    raise ValueError(f"reading {number}: neither concept, condition nor treatment")


@cache
def concepts() -> Mapping[str, Concept]:
    return load_concepts(MAPPINGS)


@cache
def counts_as() -> Mapping[str, tuple[str, ...]]:
    return {name: counted_as(name, concepts()) for name in concepts()}


@cache
def fact_tables() -> FactTables:
    return load_fact_tables(MAPPINGS)


def _result(form: Form, number: int, site: ZoneInfo) -> Result:
    _check(form, _RESULT_FORM, "laboratory", number)
    given = {name: form[name] for name in _RESULT if form.get(name) is not None}
    unit = concepts()[form["concept"]].unit or ""
    dated = _when(form.get("on"), site)
    return Result(
        **_identity(form, "Observation", number, dated, site),
        concept=form["concept"],
        status=form.get("status", "final"),
        when=dated,
        issued=_when(form.get("issued"), site),
        unit=unit if "value" in given else "",
        **{"shown": _shown(given, unit), **given, **_numbers(given)},
    )


def _numbers(given: Form) -> dict[str, float]:
    return {name: float(given[name]) for name in _NUMBERS & given.keys()}


def _shown(given: Form, unit: str) -> str:
    """As a report would show it: value and unit, else the word, else the type."""
    if "value" in given:
        return f"{given.get('comparator', '')}{given['value']} {unit}".strip()
    if "word" in given:
        return str(given["word"])
    return f"type {given['kind']}" if "kind" in given else ""


def _finding(form: Form, number: int, site: ZoneInfo) -> Finding:
    _check(form, _FINDING_FORM, "condition", number)
    onset, recorded = _when(form.get("onset"), site), _when(form.get("recorded"), site)
    updated = _when(form.get("updated"), site)
    abated = form.get("abated", False)
    dated = onset or recorded or updated
    return Finding(
        **_identity(form, "Condition", number, dated, site),
        concept=form["condition"],
        clinical=form.get("clinical"),
        verification=form.get("verification"),
        category=form.get("category"),
        onset=onset,
        recorded=recorded,
        abated=abated if isinstance(abated, bool) else _when(abated, site) or True,
        updated=updated,
        shown=form.get("shown", form["condition"]),
    )


def _treatment(form: Form, number: int, site: ZoneInfo) -> Treatment:
    _check(form, _TREATMENT_FORM, "medication", number)
    times: dict[str, Any] = {n: _when(form.get(n), site) for n in (*_COURSE, "updated")}
    dated = times["start"] or times["authored"] or times["asserted"] or times["updated"]
    kind = {"request": "MedicationRequest", "statement": "MedicationStatement"}[form["form"]]
    return Treatment(
        **_identity(form, kind, number, dated, site),
        concept=form["treatment"],
        form=form["form"],
        status=form.get("status", ""),
        shown=form.get("shown", form["treatment"]),
        **times,
    )


def _identity(
    form: Form, kind: str, number: int, dated: When | None, site: ZoneInfo
) -> dict[str, Any]:
    return {
        "reference": form.get("reference", f"{kind}/{number:02}"),
        "version": str(form.get("version", "1")),
        "patient": "Patient/1",
        "source": "test",
        "at": place(dated, site),
    }


def _check(form: Form, members: set[str], kind: str, number: int) -> None:
    if unknown := form.keys() - members:
        raise ValueError(f"reading {number}: unknown {', '.join(sorted(unknown))}")
    name = next(form[key] for key in ("concept", "condition", "treatment") if key in form)
    known = concepts().get(name)
    wanted = ("laboratory", "observation") if kind == "laboratory" else (kind,)
    if known is None or known.kind not in wanted:
        raise ValueError(f"reading {number}: {name!r} is no {kind} concept of concepts.yaml")


def _when(given: object, site: ZoneInfo) -> When | None:
    """A year, month, day or instant as YAML or Python have it."""
    return when(str(given), site) if given is not None else None


def _instant(given: object, site: ZoneInfo) -> datetime:
    known = _when(given, site)
    if known is None:
        raise ValueError("an as-of instant is needed")
    return known.instant or datetime.combine(known.earliest, time(12), tzinfo=site)


def _coverage(given: str | Mapping[str, date] | Coverage) -> Coverage:
    if isinstance(given, Coverage):
        return given
    if isinstance(given, str):
        return {"whole": WHOLE, "none": NONE}[given]
    return Coverage(**given)
