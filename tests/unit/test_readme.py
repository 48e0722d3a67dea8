"""What README shows can be typed, and answers as shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cryovigil.cli import app

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_record_that_readme_shows_is_answered_as_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = re.findall(r'^ {4}(\{"resourceType".*\})$', README, re.MULTILINE)
    assert len(record) == 3
    (tmp_path / "record.ndjson").write_text("\n".join(record))
    command = re.search(r"^ {4}\$ \.venv/bin/cryovigil (evaluate .*)$", README, re.MULTILINE)
    assert command is not None
    monkeypatch.chdir(tmp_path)
    ran = CliRunner().invoke(app, command[1].split())
    assert ran.exit_code == 0
    shown = README[command.end() :].partition("\n\n")[0].replace("    ...\n", "")
    assert "hcv-search" in shown
    assert _words(shown) in _words(ran.stdout)


def _words(text: str) -> str:
    """The text, however its lines are broken."""
    return " ".join(text.split())
