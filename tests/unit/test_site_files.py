"""What a site mounts is read as a whole, or refused in one line that names file and field."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest

from cryovigil import site_files
from cryovigil.errors import SettingsInvalid
from cryovigil.facts.coverage import NONE, Coverage
from cryovigil.settings import load


class Mounted:
    """Files that a site mounts, each named by its setting."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._monkeypatch = monkeypatch

    def put(self, setting: str, name: str, text: str) -> None:
        file = self._folder / name
        file.write_text(text)
        self._monkeypatch.setenv(setting, str(file))

    def coverage(self, text: str) -> Coverage:
        self.put("CRYOVIGIL_SITE__COVERAGE", "coverage.yaml", text)
        return site_files.coverage(load())


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mounted:
    for name in [name for name in os.environ if name.upper().startswith("CRYOVIGIL_")]:
        monkeypatch.delenv(name)
    return Mounted(tmp_path, monkeypatch)


@pytest.mark.usefixtures("mounted")
def test_nothing_is_complete_where_nothing_is_declared() -> None:
    assert site_files.coverage(load()) == NONE


def test_a_class_is_complete_from_its_day_on(mounted: Mounted) -> None:
    found = mounted.coverage("- {class: laboratory, complete_from: 2024-01-01}")
    assert found == Coverage(laboratory=date(2024, 1, 1))


def test_a_class_that_is_declared_twice_holds_from_the_later_day(mounted: Mounted) -> None:
    row = "- {class: conditions, complete_from: %s}\n"
    found = mounted.coverage(row % "2024-01-01" + row % "2025-01-01")
    assert found == Coverage(conditions=date(2025, 1, 1))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("- {class: everything, complete_from: 2024-01-01}", "coverage.yaml: 0.class"),
        ("- {class: laboratory}", "complete_from"),
        ("- {class: laboratory, complete_from: 2024-01-01, until: 2025-01-01}", "until"),
        # Read for every source, it would call absence a no where nobody said so.
        ("- {class: laboratory, complete_from: 2024-01-01, system: lab}", "coverage.yaml: system"),
    ],
)
def test_a_row_that_says_something_else_is_refused(
    mounted: Mounted, text: str, complaint: str
) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        mounted.coverage(text)
    line = str(refused.value)
    assert line.startswith("CRYOVIGIL_SITE__COVERAGE: ")
    assert complaint in line
    assert "\n" not in line


def test_a_source_belongs_to_a_topic_that_is_read(
    mounted: Mounted, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "lab.results: {system: lab, base: https://lab.example/fhir}"
    mounted.put("CRYOVIGIL_KAFKA__SOURCES", "sources.yaml", text)
    with pytest.raises(SettingsInvalid, match="not in TOPICS"):
        site_files.sources(load())
    monkeypatch.setenv("CRYOVIGIL_KAFKA__TOPICS", "lab.results")
    assert site_files.sources(load())["lab.results"].key == "||lab"
