"""`cryovigil mappings`, as an operator calls it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cryovigil.cli.mappings import app
from cryovigil.errors import RulebookInvalid


@pytest.fixture(autouse=True)
def no_site_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CRYOVIGIL_MAPPINGS__SITE", raising=False)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def found(*arguments: str | Path) -> dict[str, Any]:
    result = run("lookup", *arguments, "--format", "json")
    assert result.exit_code == 0
    parsed: dict[str, Any] = json.loads(result.stdout)
    return parsed


def test_what_is_shipped_holds_together() -> None:
    result = run("check")
    assert result.exit_code == 0
    assert result.stdout.startswith("ok: ")
    assert len(result.stdout.splitlines()) == 1


def test_a_site_file_that_is_wrong_is_one_line_that_names_the_field(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text('- {system: "urn:lab", code: CRYO, concept: no such concept}\n')
    result = run("check", "--site", site)
    assert isinstance(result.exception, RulebookInvalid)
    (line,) = str(result.exception).splitlines()
    assert "site.yaml: 0.concept" in line
    assert result.stdout == ""


def test_a_site_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    assert run("check", "--site", tmp_path / "none.yaml").exit_code == 2


@pytest.mark.parametrize("system", ["loinc", "LOINC", "http://loinc.org", "https://loinc.org/"])
def test_a_code_is_found_by_short_name_and_by_url(system: str) -> None:
    answer = found(system, "4498-2")
    assert answer["concepts"] == ["complement c4"]
    assert [row["status"] for row in answer["rows"]] == ["verified"]


@pytest.mark.parametrize(
    ("system", "code", "concept"),
    [
        ("snomed", "128302006", "hcv infection"),  # Chronic hepatitis C (disorder)
        ("icd-10", "B18.2", "hcv infection"),
        ("icd-10", "B182", "hcv infection"),  # dots are ignored in a classification
        ("atc", "J05AP55", "hcv direct-acting antiviral"),
    ],
)
def test_short_names_stand_for_the_code_systems(system: str, code: str, concept: str) -> None:
    assert concept in found(system, code)["concepts"]


def test_a_row_that_is_not_verified_is_shown_but_maps_nothing() -> None:
    answer = found("loinc", "6908-8")  # C4, of which only the component is known
    assert answer["concepts"] == []
    assert [row["active"] for row in answer["rows"]] == [False]


def test_an_unmapped_code_is_an_answer_and_no_failure() -> None:
    assert found("loinc", "99999-0")["concepts"] == []
    result = run("lookup", "loinc", "99999-0")
    assert (result.exit_code, "unmapped" in result.stdout) == (0, True)


def test_a_row_of_the_site_is_found(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text('- {system: "urn:lab", code: CRYO, concept: cryoglobulin quantity}\n')
    answer = found("urn:lab", "CRYO", "--site", site)
    assert answer["concepts"] == ["cryoglobulin quantity"]
    assert answer["rows"][0]["status"] == "site"


def test_text_names_concept_and_source() -> None:
    result = run("lookup", "loinc", "4498-2")
    assert result.exit_code == 0
    assert "complement c4" in result.stdout
    assert "MIMIC-IV" in result.stdout


def test_a_format_that_does_not_exist_is_wrong_usage() -> None:
    assert run("lookup", "loinc", "4498-2", "--format", "xml").exit_code == 2
