"""The shipped files themselves: complete, consistent, and quick to load."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TypeAlias

import pytest
import yaml

from cryovigil.errors import RulebookInvalid
from cryovigil.normalize.codes import load_concepts
from cryovigil.normalize.readings import UNRESOLVED
from cryovigil.normalize.tables import Tables, load_tables
from cryovigil.strict_yaml import parse

MAPPINGS = Path(__file__).parents[2] / "mappings"
Rows: TypeAlias = list[tuple[str, dict[str, str]]]


@pytest.fixture(scope="module")
def shipped() -> Rows:
    """Every row with its system, read by a plain YAML parser."""
    files = [
        yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
        for path in sorted((MAPPINGS / "codes").glob("*.yaml"))
    ]
    return [(file["system"], row) for file in files for row in file["rows"]]


@pytest.fixture(scope="module")
def tables() -> Tables:
    return load_tables(MAPPINGS)


# Verified rows by concept, counted in the terminology survey the files were made from;
# palpable purpura has one more: the leukocytoclastic row counts as it too.
SURVEYED = {
    "cryoglobulin presence": 2,
    "complement c4": 1,
    "rheumatoid factor": 3,
    "rheumatoid factor titer": 4,
    "hcv rna": 5,
    "hcv antibody": 6,
    "creatinine": 5,
    "egfr": 10,
    "hiv test": 27,
    "hemoglobin": 7,
    "cryoglobulinemic vasculitis": 6,
    "cryoglobulinemia": 8,
    "palpable purpura": 2,
    "hcv infection": 31,
    "b-cell neoplasm": 49,
    "other malignancy": 164,
    "hcv direct-acting antiviral": 45,
    "interferon alfa": 28,
    "pregnancy": 78,
    "lymph node biopsy": 52,
}


@pytest.mark.parametrize(("concept", "count"), SURVEYED.items())
def test_every_surveyed_code_is_shipped(shipped: Rows, concept: str, count: int) -> None:
    verified = Counter(row["concept"] for _, row in shipped if row["status"] == "verified")
    assert verified[concept] == count


def test_every_verified_row_is_found_through_the_map(shipped: Rows, tables: Tables) -> None:
    assert len(shipped) > 1700
    lost = [
        (system, row["code"])
        for system, row in shipped
        if row["status"] == "verified"
        and row["concept"] not in tables.codes.concepts(system, row["code"])
    ]
    assert lost == []


def test_every_row_names_its_source_briefly(shipped: Rows) -> None:
    sources = [row["source"] for _, row in shipped]
    assert all(0 < len(source) < 100 for source in sources)
    assert not any(re.search(r"@[0-9a-f]{7}", source) for source in sources)


def test_rejected_codes_are_not_shipped(shipped: Rows) -> None:
    codes = {row["code"] for _, row in shipped}
    # wrong check digit; bruising susceptibility; not daratumumab
    assert codes.isdisjoint({"235872004", "302227002", "1723735"})


def test_the_core_analytes_are_anchors() -> None:
    concepts = load_concepts(MAPPINGS)
    for name in ("cryoglobulin quantity", "cryocrit", "cryoglobulin type", "hcv rna log"):
        assert concepts[name].klass == "anchor"
    assert [
        c.name
        for c in concepts.values()
        if c.kind in ("condition", "medication") and c.klass != "anchor"
    ] == [UNRESOLVED]  # it says that something is missing, and raises no card by itself
    for name in ("platelets", "complement c3", "cryofibrinogen", "egfr"):
        assert concepts[name].klass == "context"


def test_counting_as_is_kept_where_rules_lean_on_it() -> None:
    concepts = load_concepts(MAPPINGS)
    assert concepts["rituximab"].counts_as == ("anti-cd20",)
    assert (
        "cryoglobulinemic vasculitis" in concepts["cryoglobulinemic glomerulonephritis"].counts_as
    )
    assert "cryoglobulinemic vasculitis" not in concepts["cryoglobulinemic purpura"].counts_as


# "Sensitive assay: undetectable RNA (<= 15 IU/mL)" (EASL); the codes name what theirs detect.
@pytest.mark.parametrize(("code", "limit"), [("34703-9", 500), ("34704-7", 50), ("11011-4", None)])
def test_a_code_that_names_its_detection_limit_keeps_it(
    tables: Tables, code: str, limit: float | None
) -> None:
    assert tables.codes.limit("http://loinc.org", code) == limit
    assert tables.codes.limit("http://loinc.org/", f" {code}") == limit


def test_a_site_that_lists_such_a_code_makes_its_assay_no_more_sensitive(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(
        '- {system: "http://loinc.org", code: "34703-9", concept: hcv rna, unit: "[IU]/mL"}\n'
    )
    codes = load_tables(MAPPINGS, site).codes
    assert codes.local_unit("http://loinc.org", "34703-9") == "[IU]/mL"
    assert codes.limit("http://loinc.org", "34703-9") == 500


def test_endocarditis_of_any_cause_is_one_but_not_a_valve_disorder_of_another_disease(
    tables: Tables,
) -> None:
    # The rules say "endocarditis"; I39 is "endocarditis and heart valve disorders" together.
    assert tables.also["endocarditis of unspecified cause"] == ("infective endocarditis",)
    (valve,) = tables.codes.concepts("http://hl7.org/fhir/sid/icd-10", "I39.0")
    assert valve not in tables.also


def test_the_digest_covers_the_site_file(tmp_path: Path, tables: Tables) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("[]\n")
    assert load_tables(MAPPINGS).digest == tables.digest
    assert load_tables(MAPPINGS, site).digest != tables.digest
    assert re.fullmatch("[0-9a-f]{64}", tables.digest)


def test_yaml_that_is_no_text_is_refused_without_quoting_it() -> None:
    with pytest.raises(RulebookInvalid) as refused:
        parse(b"a: \xff\xfe", "x.yaml", dict[str, str])
    assert str(refused.value) == "x.yaml: not UTF-8 text that YAML allows"


def test_a_nested_duplicate_key_names_its_line() -> None:
    with pytest.raises(RulebookInvalid) as refused:
        parse(b"a:\n  b: 1\n  c: 2\n  b: 3\n", "x.yaml", dict[str, dict[str, int]])
    assert str(refused.value) == "x.yaml: line 4: duplicate key"


def test_a_value_of_the_wrong_type_names_its_field() -> None:
    with pytest.raises(RulebookInvalid) as refused:
        parse(b"- 1\n- x\n", "x.yaml", list[int])
    assert str(refused.value) == "x.yaml: 1: Expected `int`, got `str`"
