from __future__ import annotations

from pathlib import Path

import pytest

from cryovigil.errors import RulebookInvalid
from cryovigil.normalize.check_digits import valid_loinc, valid_sctid
from cryovigil.normalize.codes import CodeMap, load_codes, load_concepts

MAPPINGS = Path(__file__).parents[2] / "mappings"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
ICD_10 = "http://hl7.org/fhir/sid/icd-10"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
ATC = "http://www.whocc.no/atc"
LOCAL = "http://hospital.example/codes"


@pytest.fixture(scope="module")
def codes() -> CodeMap:
    return load_codes(MAPPINGS)


def with_site(tmp_path: Path, text: str) -> CodeMap:
    site = tmp_path / "site.yaml"
    site.write_text(text, encoding="utf-8")
    return load_codes(MAPPINGS, site)


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(RulebookInvalid) as refused:
        with_site(tmp_path, text)
    message = str(refused.value)
    assert "\n" not in message
    return message


def shipped_with(tmp_path: Path, row: str, **head: str) -> Path:
    """A mappings folder of the shipped concepts and one code file with one row."""
    (tmp_path / "codes").mkdir()
    (tmp_path / "concepts.yaml").write_bytes((MAPPINGS / "concepts.yaml").read_bytes())
    fields = {"system": LOINC, "match": "exact", "check_digit": "loinc"} | head
    lines = [f"{key}: {value}" for key, value in fields.items()]
    (tmp_path / "codes" / "loinc.yaml").write_text("\n".join([*lines, "rows:", row, ""]))
    return tmp_path


def shipped_refusal(root: Path) -> str:
    with pytest.raises(RulebookInvalid) as refused:
        load_codes(root)
    return str(refused.value)


@pytest.mark.parametrize(
    ("system", "code", "concept"),
    [
        (LOINC, "5117-7", "cryoglobulin presence"),
        (LOINC, "4498-2", "complement c4"),
        (LOINC, "11572-5", "rheumatoid factor"),
        (LOINC, "11011-4", "hcv rna"),
        (LOINC, "38180-6", "hcv rna log"),
        (LOINC, "2160-0", "creatinine"),
        (SNOMED, "260373001", None),
        (ICD_10, "D89.1", "cryoglobulinemia"),
        ("http://www.nlm.nih.gov/research/umls/rxnorm", "1799211", "hcv direct-acting antiviral"),
        ("http://purl.obolibrary.org/obo/hp.owl", "HP:0031363", "palpable purpura"),
        ("http://id.who.int/icd/release/11/mms", "4A44.90", "cryoglobulinemic vasculitis"),
    ],
)
def test_a_code_stands_for_its_concept(
    codes: CodeMap, system: str, code: str, concept: str | None
) -> None:
    assert codes.concepts(system, code) == ((concept,) if concept else ())


def test_cryofibrinogen_is_not_cryoglobulin(codes: CodeMap) -> None:
    assert codes.concepts(LOINC, "11043-7") == ("cryofibrinogen",)


def test_leukocytoclastic_vasculitis_is_palpable_purpura_too(codes: CodeMap) -> None:
    # concepts: the leukocytoclastic row (HP:0034786) counts as palpable purpura too
    found = codes.concepts("http://purl.obolibrary.org/obo/hp.owl", "HP:0034786")
    assert found == ("cutaneous vasculitis", "palpable purpura")


@pytest.mark.parametrize(
    ("system", "code", "concepts"),
    [
        # C82.0A is a row of its own (in remission), C82 is the category above the others
        (ICD_10_CM, "C82.0A", ("history of b-cell neoplasm",)),
        (ICD_10_CM, "C82.01", ("b-cell neoplasm",)),
        (ICD_10_CM, "M32.14", ("lupus nephritis",)),
        (ICD_10_CM, "M32.19", ("systemic lupus erythematosus",)),
        # ICD-10-CM 2025 split C88.0 into C88.00 and C88.01
        (ICD_10_CM, "C88.00", ("waldenstrom macroglobulinemia",)),
        (ATC, "J05AP51", ("hcv direct-acting antiviral",)),
        (ATC, "H02AB06", ("glucocorticoid",)),
        # rituximab moved in 2022; both places are accepted
        (ATC, "L01XC02", ("rituximab",)),
        (ATC, "L01FA01", ("rituximab",)),
    ],
)
def test_the_longest_prefix_wins(
    codes: CodeMap, system: str, code: str, concepts: tuple[str, ...]
) -> None:
    assert codes.concepts(system, code) == concepts


def test_rows_of_equal_length_all_apply(codes: CodeMap) -> None:
    assert set(codes.concepts(ICD_10, "D59.1")) == {
        "autoimmune hemolytic anemia",
        "other indication for immunosuppression",
    }


def test_dots_and_trailing_marks_do_not_tell_icd_codes_apart(codes: CodeMap) -> None:
    expected = codes.concepts(ICD_10_CM, "M32.14")
    assert expected
    assert codes.concepts(ICD_10_CM, "M3214") == expected
    assert codes.concepts(ICD_10_CM, "M32.14†") == expected


def test_a_code_shorter_than_every_row_is_not_mapped(codes: CodeMap) -> None:
    assert codes.concepts(ICD_10_CM, "M3") == ()


def test_an_exact_system_does_not_match_by_prefix(codes: CodeMap) -> None:
    assert codes.concepts(LOINC, "2160-01") == ()


def test_spaces_around_a_code_do_not_count(codes: CodeMap) -> None:
    assert codes.concepts(LOINC, " 2160-0 ") == ("creatinine",)
    assert codes.concepts(ICD_10, " D89.1") == ("cryoglobulinemia",)


@pytest.mark.parametrize(
    "system",
    [
        "https://loinc.org",
        "http://loinc.org/",
        "urn:oid:2.16.840.1.113883.6.1",
    ],
)
def test_a_system_is_known_by_its_other_names(codes: CodeMap, system: str) -> None:
    assert codes.concepts(system, "2160-0") == ("creatinine",)


@pytest.mark.parametrize("system", [None, "", "http://example.org/other"])
def test_a_coding_of_an_unknown_system_is_not_mapped(codes: CodeMap, system: str | None) -> None:
    assert codes.concepts(system, "2160-0") == ()
    assert codes.rows(system, "2160-0") == ()
    assert codes.local_unit(system, "2160-0") is None


def test_an_unverified_row_is_listed_but_maps_nothing(codes: CodeMap) -> None:
    assert codes.concepts(LOINC, "6908-8") == ()
    (row,) = codes.rows(LOINC, "6908-8")
    assert (row.concept, row.status, row.active) == (
        "complement c4 axis unknown",
        "unverified",
        False,
    )


@pytest.mark.parametrize(
    ("code", "concept"),
    [
        ("2166-7", "cryoglobulin axis unknown"),
        ("15174-6", "cryocrit"),
        ("24038-2", "cryoglobulin type"),
    ],
)
def test_an_unverified_row_acts_where_the_value_decides(
    codes: CodeMap, code: str, concept: str
) -> None:
    assert codes.concepts(LOINC, code) == (concept,)


def test_lookup_shows_the_prefix_that_matched_first(codes: CodeMap) -> None:
    rows = codes.rows(ICD_10_CM, "C82.0A")
    assert rows[0].code == "C82.0A"
    assert "C82" in [row.code for row in rows]


def test_a_site_maps_its_own_codes_with_a_unit(tmp_path: Path) -> None:
    codes = with_site(
        tmp_path,
        f'- {{system: "{LOCAL}", code: CRYOQ, concept: cryoglobulin quantity, unit: mg/L}}\n',
    )
    assert codes.concepts(LOCAL, "CRYOQ") == ("cryoglobulin quantity",)
    assert codes.local_unit(LOCAL, "CRYOQ") == "mg/L"
    assert codes.local_unit(LOCAL, "OTHER") is None


def test_a_site_row_replaces_the_shipped_rows_of_its_code(tmp_path: Path) -> None:
    codes = with_site(
        tmp_path, f'- {{system: "{ICD_10}", code: D591, concept: cold agglutinin disease}}\n'
    )
    assert codes.concepts(ICD_10, "D59.1") == ("cold agglutinin disease",)


def test_a_site_switches_an_unverified_row_on(tmp_path: Path) -> None:
    codes = with_site(
        tmp_path, f'- {{system: "{LOINC}", code: "6908-8", concept: complement c4}}\n'
    )
    assert codes.concepts(LOINC, "6908-8") == ("complement c4",)


def test_two_site_rows_of_one_code_both_apply(tmp_path: Path) -> None:
    row = f'- {{system: "{LOCAL}", code: X1, concept: '
    codes = with_site(tmp_path, f"{row}cirrhosis}}\n{row}hcv infection}}\n")
    assert codes.concepts(LOCAL, "X1") == ("cirrhosis", "hcv infection")


def test_a_national_edition_is_read_as_the_who_rows(tmp_path: Path) -> None:
    gm = "http://fhir.de/CodeSystem/bfarm/icd-10-gm"
    codes = with_site(tmp_path, f'- {{system: "{gm}", same_as: "{ICD_10}"}}\n')
    assert codes.concepts(gm, "D89.1") == ("cryoglobulinemia",)
    assert codes.concepts(gm + "/", "D89.1") == ("cryoglobulinemia",)


def test_a_site_file_changes_the_digest(tmp_path: Path, codes: CodeMap) -> None:
    assert load_codes(MAPPINGS).digest == codes.digest
    assert with_site(tmp_path, "[]\n").digest != codes.digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f'- {{system: "{LOCAL}", code: A, concept: no such thing}}\n',
            "site.yaml: 0.concept: 'no such thing' is not in concepts.yaml",
        ),
        (
            f'- {{system: "{LOCAL}", code: A, concept: cirrhosis, units: g}}\n',
            "site.yaml: 0: Object contains unknown field `units`",
        ),
        (
            f'- {{system: "{LOCAL}", code: A}}\n',
            "site.yaml: 0: a row needs system, code and concept",
        ),
        (
            f'- {{system: "{LOCAL}", code: A, code: B, concept: cirrhosis}}\n',
            "site.yaml: line 1: duplicate key",
        ),
        (
            f'- {{system: "{SNOMED}", code: "235872004", concept: hcv infection}}\n',
            "site.yaml: 0.code: '235872004' has a wrong snomed-ct check digit",
        ),
        (
            f'- {{system: "{LOCAL}", same_as: "http://example.org/none"}}\n',
            "site.yaml: 0.same_as: no code system that is shipped",
        ),
        (
            f'- {{system: "{LOINC}", same_as: "{ICD_10}"}}\n',
            f"site.yaml: 0.system: '{LOINC}' is already another code system",
        ),
        (
            f'- {{system: "{LOCAL}", code: A, concept: cirrhosis}}\n' * 2,
            "site.yaml: 1: 'A' stands twice for 'cirrhosis'",
        ),
        ("- [\n", "site.yaml: line 2: did not find expected node content"),
    ],
)
def test_a_wrong_site_file_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(tmp_path, text) == message


ROW = '  - {{code: "{code}", concept: {concept}, display: X, status: {status}, source: X}}'


@pytest.mark.parametrize(
    ("row", "place"),
    [
        # 2160-0 is right, 2160-1 is not
        (ROW.format(code="2160-1", concept="creatinine", status="verified"), "rows.0.code: "),
        (ROW.format(code="2160-0", concept="kreatinin", status="verified"), "rows.0.concept: "),
        (ROW.format(code="2160-0", concept="creatinine", status="maybe"), "rows.0.status: "),
    ],
)
def test_a_wrong_shipped_row_is_refused(tmp_path: Path, row: str, place: str) -> None:
    assert shipped_refusal(shipped_with(tmp_path, row)).startswith(f"loinc.yaml: {place}")


def test_two_files_of_one_system_are_refused(tmp_path: Path) -> None:
    row = ROW.format(code="2160-0", concept="creatinine", status="verified")
    root = shipped_with(tmp_path, row)
    (root / "codes" / "more.yaml").write_bytes((root / "codes" / "loinc.yaml").read_bytes())
    assert shipped_refusal(root).startswith("more.yaml: system: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "  - {name: a, kind: condition}\n  - {name: a, kind: condition}\n",
            "concepts.yaml: concepts.1.name: 'a' twice",
        ),
        (
            "  - {name: a, kind: condition, counts_as: [b]}\n",
            "concepts.yaml: concepts.0.counts_as: 'b' unknown",
        ),
    ],
)
def test_a_concept_is_named_once_and_counts_as_known_ones(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "concepts.yaml").write_text("concepts:\n" + text)
    with pytest.raises(RulebookInvalid) as refused:
        load_concepts(tmp_path)
    assert str(refused.value) == message


def test_check_digits_of_loinc() -> None:
    # 11259-9 is HCV RNA presence; 11259-1 circulates with a wrong digit
    assert valid_loinc("11259-9")
    assert not valid_loinc("11259-1")
    assert not valid_loinc("112599")


def test_check_digits_of_snomed_ct() -> None:
    # 235872006 is hepatitis C carrier; 235872004 circulates with a wrong digit
    assert valid_sctid("235872006")
    assert not valid_sctid("235872004")
    assert not valid_sctid("\u0662\u0663\u0665\u0668\u0667\u0662\u0660\u0660\u0666")
