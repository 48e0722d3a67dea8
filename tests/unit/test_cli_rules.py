"""`cryovigil rules`, on the shipped rulebook, and on one that is wrong."""

from __future__ import annotations

import json

import pytest
from tests.support.cases import MAPPINGS
from tests.support.rulebooks import SmallBook, small as small  # noqa: PLC0414
from typer.testing import CliRunner

from cryovigil.cli import rules
from cryovigil.rules.book import load_rulebook


def run(*arguments: str) -> str:
    result = CliRunner().invoke(rules.app, arguments)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_list_names_every_rule_with_its_digest() -> None:
    listed = json.loads(run("list", "--format", "json"))
    book = load_rulebook(MAPPINGS)
    assert [(row["id"], row["digest"]) for row in listed] == [(r.id, r.digest) for r in book.rules]
    assert {row["approval"] for row in listed} == {"not locally approved"}


def test_the_list_says_how_urgent_a_card_can_be() -> None:
    # hcv-search is a warning; post-svr-lymphoma-search info or warning.
    listed = {row["id"]: row["indicators"] for row in json.loads(run("list", "--format", "json"))}
    assert listed["hcv-search"] == ["warning"]
    assert listed["post-svr-lymphoma-search"] == ["info", "warning"]


def test_the_list_is_text_by_default() -> None:
    assert "hcv-search: Search for hepatitis C\n  warning; not locally approved" in run("list")


def test_a_rule_is_shown_with_its_numbers_units_and_sources() -> None:
    shown = json.loads(run("show", "post-svr-lymphoma-search", "--format", "json"))
    apart = next(p for p in shown["parameters"] if p["name"] == "apart")
    # De Vita 2011: two determinations at least 12 weeks apart, 84 days.
    assert (apart["value"], apart["unit"]) == (84, "d")
    assert apart["citation"]["link"].startswith("https://")
    assert apart["citation"]["place"]
    assert "Desbois 2017, 1 and 4" in shown["logic"]


def test_a_rule_is_shown_as_text_with_question_logic_and_sources() -> None:
    text = run("show", "post-svr-lymphoma-search")
    for part in ("outlast the cure of HCV?", "info-repeat", "apart: 84 d", "checked 2026-11-25"):
        assert part in text


def test_a_rule_that_does_not_exist_is_wrong_usage() -> None:
    result = CliRunner().invoke(rules.app, ["show", "no-such-rule"])
    assert result.exit_code == 2
    assert "no-such-rule" in result.output


def test_a_rulebook_that_holds_is_counted_in_one_line() -> None:
    (line,) = run("check").splitlines()
    assert line.startswith("ok: 4 rules, ")
    assert "all cited" in line


def test_each_defect_is_a_line_and_the_check_fails(
    small: SmallBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.edit("purpura: 30 d", "purpur: 30 d")
    small.edit("future_tolerance:", "futur_tolerance:", "facts/results")
    monkeypatch.setattr(rules, "_ROOT", small.root)
    result = CliRunner().invoke(rules.app, ["check"])
    assert result.exit_code == 1
    assert "facts/results.yaml: parameters.futur_tolerance: nothing reads it" in result.output
    assert "small-rule.yaml: needs: 'purpur' is not in concepts.yaml" in result.output
