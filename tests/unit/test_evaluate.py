"""`cryovigil evaluate` around the journey: splitting files, grouping patients, exit codes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result as Ran

from cryovigil.cli.evaluate import command, split
from cryovigil.cli.evaluate_core import Assessed
from cryovigil.errors import RulebookInvalid, Unreadable
from cryovigil.facts.coverage import NONE, WHOLE, Coverage
from cryovigil.normalize.readings import AnyReading, Result, Update, Version, key_of
from cryovigil.rules import Answer, CannotTell, Fired, Quiet

AS_OF = "2026-01-31T00:00:00Z"


class ShortForm:
    """A core that reads `{"id", "patient", "status", "version", "unmapped"}` as an Observation.

    Whoever has a result gets a card; `asked` keeps what each patient was assessed with.
    """

    digest = "sha256:0"

    def __init__(self) -> None:
        self.asked: list[tuple[str, Sequence[AnyReading], frozenset[str], datetime]] = []
        self.coverage: Coverage | None = None
        self.failures: set[tuple[str, str]] = set()

    def read(self, value: bytes, feed: str, offset: int) -> Iterator[Update | Unreadable]:
        try:
            parsed = json.loads(value)
        except ValueError:
            yield Unreadable("not-json")
            return
        for row in parsed if isinstance(parsed, list) else [parsed]:
            yield (
                Unreadable("no-subject", row["harmed"], row.get("resource"))
                if "harmed" in row
                else self._update(row, feed, offset)
            )

    def _update(self, row: dict[str, Any], feed: str, offset: int) -> Update:
        reference = f"Observation/{row['id']}"
        result = Result(
            concept="complement c4",
            reference=reference,
            patient=row["patient"],
            source="default",
            status=row.get("status", "final"),
        )
        gone = row.get("status") == "entered-in-error"
        return Update(
            identity=f"default|{reference}",
            key=key_of(reference),
            version=Version(row.get("version", 0), 0, offset),
            feed=feed,
            patient=row["patient"],
            readings=() if gone else (result,),
            unmapped=tuple(map(tuple, row.get("unmapped", ()))),
        )

    def assess(
        self,
        patient: str,
        readings: Sequence[AnyReading],
        incomplete: frozenset[str],
        as_of: datetime,
    ) -> Assessed:
        self.asked.append((patient, readings, incomplete, as_of))
        answers: dict[str, Answer] = {
            "b": Quiet(because=("hcv-settled",)),
            "a": CannotTell(missing=("complement c4",)),
        }
        if readings:
            answers["c"] = Fired(
                indicator="info", criteria=("c4-low",), evidence=(*readings, *readings)
            )
        cards = [{"indicator": "info", "summary": "[bold]C4[/bold]"}] if readings else []
        return Assessed(
            assessment={"cryovas": "not-supported", "ffs": {"min": 0, "max": 1}},
            answers=answers,
            cards=cards,
            changes_at=datetime(2026, 3, 1, tzinfo=UTC) if readings else None,
            incomplete=tuple(incomplete),
        )


class Desk:
    """A folder of files, and the command on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.core = ShortForm()

    def file(self, name: str, *rows: Any) -> Path:
        path = self.folder / name
        path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in rows))
        return path

    def run(self, *arguments: str | Path, stdin: str | None = None) -> Ran:
        app = typer.Typer()
        app.command()(command(self.load))
        return CliRunner().invoke(app, [*map(str, arguments)], input=stdin)

    def load(self, coverage: Coverage) -> ShortForm:
        self.core.coverage = coverage
        return self.core

    def report(self, *arguments: str | Path) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.run(*arguments, "--as-of", AS_OF).stdout)
        return parsed


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def row(number: int, patient: int = 1, **members: Any) -> dict[str, Any]:
    return {"id": str(number), "patient": f"Patient/{patient}", **members}


def test_the_report_has_the_members_of_the_contract(desk: Desk) -> None:
    report = desk.report(desk.file("one.json", row(1, unmapped=[["urn:lab", "X"]])))
    assert report == {
        "asOf": AS_OF,
        "rulebook": {"digest": "sha256:0"},
        "patients": [
            {
                "patient": "Patient/1",
                "assessment": {"cryovas": "not-supported", "ffs": {"min": 0, "max": 1}},
                "answers": [
                    {
                        "rule": "a",
                        "answer": "cannot-tell",
                        "because": [],
                        "missing": ["complement c4"],
                        "evidence": [],
                    },
                    {
                        "rule": "b",
                        "answer": "quiet",
                        "because": ["hcv-settled"],
                        "missing": [],
                        "evidence": [],
                    },
                    {
                        "rule": "c",
                        "answer": "fired",
                        "because": ["c4-low"],
                        "missing": [],
                        "evidence": ["Observation/1"],
                    },
                ],
                "cards": [{"indicator": "info", "summary": "[bold]C4[/bold]"}],
                "changesAt": "2026-03-01T00:00:00Z",
                "incomplete": [],
                "unmapped": [{"system": "urn:lab", "code": "X", "count": 1}],
            }
        ],
        "unreadable": [],
    }


def test_readable_input_ends_with_0_and_is_the_whole_record(desk: Desk) -> None:
    assert desk.run(desk.file("one.json", row(1))).exit_code == 0
    assert desk.core.coverage == WHOLE


def test_of_a_partial_record_absence_proves_nothing(desk: Desk) -> None:
    desk.run(desk.file("one.json", row(1)), "--partial")
    assert desk.core.coverage == NONE


def test_a_garbled_line_is_listed_with_its_number_and_the_others_are_answered(desk: Desk) -> None:
    path = desk.file("rows.ndjson", row(1), "", "garbled", row(2, patient=2))
    ran = desk.run(path)
    report = json.loads(ran.stdout)
    assert ran.exit_code == 3
    assert report["unreadable"] == [{"source": "rows.ndjson:3", "reason": "not-json"}]
    assert [p["patient"] for p in report["patients"]] == ["Patient/1", "Patient/2"]


def test_a_file_that_is_no_json_at_all_is_one_unreadable_source(desk: Desk) -> None:
    ran = desk.run(desk.file("letter.txt", "Dear", "colleague"))
    assert ran.exit_code == 3
    unreadable = json.loads(ran.stdout)["unreadable"]
    assert unreadable == [{"source": "letter.txt", "reason": "not-json"}]


def test_a_bad_entry_harms_its_patient_and_not_the_entries_beside_it(desk: Desk) -> None:
    ran = desk.run(desk.file("bundle.json", [{"harmed": "Patient/2"}, row(1)]))
    patients = {p["patient"]: p for p in json.loads(ran.stdout)["patients"]}
    assert ran.exit_code == 3
    assert patients["Patient/1"]["incomplete"] == []
    assert patients["Patient/2"]["incomplete"] == ["unreadable-event"]


def test_of_several_versions_the_newest_stands_whatever_the_order(desk: Desk) -> None:
    newer, older = row(1, version=2, status="entered-in-error"), row(1, version=1)
    (patient,) = desk.report(desk.file("rows.ndjson", newer, older))["patients"]
    assert patient["cards"] == []


def test_bodies_without_a_version_count_in_the_order_given(desk: Desk) -> None:
    first, second = desk.file("z.json", row(1)), desk.file("a.json", row(1, status="amended"))
    desk.report(first, second)
    ((_, readings, *_),) = desk.core.asked
    assert [r.status for r in readings if isinstance(r, Result)] == ["amended"]


def test_a_patient_without_any_result_is_answered_too(desk: Desk) -> None:
    report = desk.report(desk.file("one.json", row(1, status="entered-in-error")))
    assert [p["patient"] for p in report["patients"]] == ["Patient/1"]
    assert "changesAt" not in report["patients"][0]


def test_unmapped_codes_are_counted_most_frequent_first(desk: Desk) -> None:
    rows = [row(n, unmapped=[["urn:lab", code]]) for n, code in enumerate(["A", "B", "B"])]
    (patient,) = desk.report(desk.file("rows.ndjson", *rows))["patients"]
    assert [(u["code"], u["count"]) for u in patient["unmapped"]] == [("B", 2), ("A", 1)]


def test_standard_input_is_read(desk: Desk) -> None:
    report = json.loads(desk.run("-", stdin=json.dumps(row(1))).stdout)
    assert [p["patient"] for p in report["patients"]] == ["Patient/1"]


def test_as_of_is_taken_with_its_offset(desk: Desk) -> None:
    desk.run(desk.file("one.json", row(1)), "--as-of", "2026-01-31T01:00:00+01:00")
    assert desk.core.asked[0][3] == datetime(2026, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize("instant", ["tomorrow", "2026-01-31T00:00:00", "2026-01-31"])
def test_as_of_without_an_offset_is_wrong_usage(desk: Desk, instant: str) -> None:
    assert desk.run(desk.file("one.json", row(1)), "--as-of", instant).exit_code == 2


@pytest.mark.parametrize("option", ["--hook", "--drafts"])
def test_what_a_later_version_will_offer_is_wrong_usage(desk: Desk, option: str) -> None:
    assert desk.run(desk.file("one.json", row(1)), option, "x").exit_code == 2


def test_a_file_that_is_not_there_is_wrong_usage(desk: Desk) -> None:
    assert desk.run(desk.folder / "none.json").exit_code == 2


def test_without_a_rulebook_nothing_is_written(desk: Desk) -> None:
    def broken(coverage: Coverage) -> ShortForm:
        raise RulebookInvalid("hcv-search.yaml: card: unknown")

    app = typer.Typer()
    app.command()(command(broken))
    ran = CliRunner().invoke(app, [str(desk.file("one.json", row(1)))])
    assert isinstance(ran.exception, RulebookInvalid)
    assert ran.stdout == ""


def test_a_later_version_that_names_nobody_harms_the_patient_of_the_earlier_one(
    desk: Desk,
) -> None:
    nameless = {"harmed": None, "resource": "Observation/1"}
    report = desk.report(desk.file("rows.ndjson", row(1), nameless))
    assert [p["incomplete"] for p in report["patients"]] == [["unreadable-event"]]
    report = desk.report(desk.file("rows.ndjson", nameless, row(1)))
    assert [p["incomplete"] for p in report["patients"]] == [[]]


def test_a_rule_that_failed_is_said_and_the_rest_is_answered(desk: Desk) -> None:
    desk.core.failures.add(("hcv-search", "KeyError"))
    ran = desk.run(desk.file("one.json", row(1)))
    assert ran.exit_code == 1
    assert ran.stderr == "rule hcv-search failed with KeyError: it could not tell\n"
    assert json.loads(ran.stdout)["patients"]


def test_text_shows_cards_reasons_and_what_was_unreadable_as_text(desk: Desk) -> None:
    ran = desk.run(desk.file("rows.ndjson", row(1), "garbled"), "--format", "text")
    assert ran.exit_code == 3
    for part in ("Patient/1", "[bold]C4[/bold]", "c4-low", "unreadable: rows.ndjson:2: not-json"):
        assert part in ran.stdout


@pytest.mark.parametrize(
    ("content", "sources"),
    [
        (b'{"a": 1}', ["f"]),
        (b'{\n "a": 1\n}\n', ["f"]),  # one document over several lines
        (b'{"a": 1}\n{"a": 2}\n', ["f:1", "f:2"]),
        (b'\xef\xbb\xbf{"a": 1}\r\n\r\n{"a": 2}', ["f:1", "f:3"]),
        (b'garbled\n{"a": 2}', ["f:1", "f:2"]),
        (b"", ["f"]),
    ],
)
def test_ndjson_is_told_from_one_document(content: bytes, sources: list[str]) -> None:
    assert [source for source, _ in split("f", content)] == sources
