"""What is wrong before anything runs: one line that names it, and no service."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.support.commands import Ran, cryovigil
from tests.support.databases import sqlite_url
from tests.support.fhir import CANARY
from tests.support.service import serve, settings

import cryovigil as package

WRONG_USAGE = 2
FAILED = 1


async def start(folder: Path, given: dict[str, str]) -> Ran:
    """A start that is expected to fail: nothing in its environment would let it hang."""
    return await cryovigil(
        "serve", settings={"CRYOVIGIL_DATABASE_URL": sqlite_url(folder), **given}
    )


def said(ran: Ran) -> str:
    """The one line on standard error; nothing was logged."""
    assert ran.out == ""
    (line,) = ran.err.splitlines()
    return line


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("KAFKA__TOPIC", CANARY, "CRYOVIGIL_KAFKA__TOPIC"),
        ("KAFKA__SESSION_TIMEOUT_MS", CANARY, "CRYOVIGIL_KAFKA__SESSION_TIMEOUT_MS"),
        ("EHR__SINK", "cloudevents", "CRYOVIGIL_EHR__URL"),
        ("INTAKE__TOKEN", CANARY, "CRYOVIGIL_INTAKE__TOKEN"),
        ("RULES__DISABLED", CANARY, "CRYOVIGIL_RULES__DISABLED"),
    ],
    ids=["unknown", "no-number", "contradictory", "not-there-yet", "no-such-rule"],
)
async def test_a_wrong_setting_is_named_and_its_value_is_not_repeated(
    tmp_path: Path, name: str, value: str, named: str
) -> None:
    ran = await start(tmp_path, {f"CRYOVIGIL_{name}": value})
    assert named in said(ran)
    assert ran.code == WRONG_USAGE
    assert CANARY not in ran.err


@pytest.mark.parametrize(
    ("setting", "content", "field"),
    [
        ("SITE__COVERAGE", "- {class: laboratory, complete_from: 2020-13-01}", "line 1"),
        ("KAFKA__SOURCES", "fhir.patient: {bases: x}", "`bases`"),
        ("MAPPINGS__SITE", "- {system: local, code: K, concept: kreatinin}", "0.concept"),
        (
            "MAPPINGS__SITE",
            "- {system: local, code: K, concept: creatinine, unit: stone}",
            "K.unit",
        ),
    ],
    ids=["coverage", "source", "mapping-to-no-concept", "mapping-of-no-unit"],
)
async def test_a_wrong_file_of_the_site_is_named_with_its_field(
    tmp_path: Path, setting: str, content: str, field: str
) -> None:
    file = tmp_path / "of-the-site.yaml"
    file.write_text(content)
    ran = await start(tmp_path, {f"CRYOVIGIL_{setting}": str(file)})
    line = said(ran)
    assert f"CRYOVIGIL_{setting}: of-the-site.yaml: " in line
    assert field in line
    assert ran.code == WRONG_USAGE


@pytest.mark.parametrize("setting", ["KAFKA__SOURCES", "MAPPINGS__SITE"])
async def test_a_file_of_the_site_that_is_not_there_is_named(tmp_path: Path, setting: str) -> None:
    ran = await start(tmp_path, {f"CRYOVIGIL_{setting}": str(tmp_path / "absent.yaml")})
    line = said(ran)
    assert f"CRYOVIGIL_{setting}: " in line
    assert "the file cannot be read" in line
    assert ran.code == WRONG_USAGE


@pytest.mark.parametrize(
    ("file", "right", "wrong", "field"),
    [
        ("rules/hcv-search.yaml", "expiry: 30 d", "expiry: soon", "expiry"),
        ("rules/cryovas-likely.yaml", "{2017-01-01: 84}", "{2017-01-01: many}", "apart"),
        ("units/creatinine.yaml", '"88.42"', '"a lot"', "factors"),
        ("codes/loinc.yaml", "concept: creatinine,", "concept: kreatinin,", "concept"),
    ],
    ids=["rule", "parameter", "unit", "code"],
)
async def test_a_wrong_rule_file_or_mapping_is_named_with_its_field(
    tmp_path: Path, file: str, right: str, wrong: str, field: str
) -> None:
    copy = tmp_path / "cryovigil"
    shutil.copytree(Path(package.__file__).parent, copy)
    broken = copy / "mappings" / file
    before = broken.read_text()
    broken.write_text(before.replace(right, wrong, 1))
    assert broken.read_text() != before
    ran = await start(tmp_path, {"PYTHONPATH": str(tmp_path)})
    line = said(ran)
    assert f"{broken.name}: " in line
    assert field in line
    assert ran.code == FAILED


@pytest.mark.sqlite
async def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    given = settings("127.0.0.1:1", "nowhere", sqlite_url(tmp_path), None)
    with serve(given, tmp_path / "first") as first:
        await first.until(lambda: "service_started" in [line["event"] for line in first.log])
        taken = {"CRYOVIGIL_ADMIN__PORT": str(first.port)}
        with serve(given | taken, tmp_path / "second") as second:
            assert second.process.wait(30) == WRONG_USAGE
            assert "CRYOVIGIL_ADMIN__PORT" in second.errors
