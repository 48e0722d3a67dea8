from __future__ import annotations

from pathlib import Path

import pytest

from cryovigil.errors import RulebookInvalid
from cryovigil.normalize.codes import load_concepts
from cryovigil.normalize.quantities import Quantity, parse_quantity
from cryovigil.normalize.values import ValueWords, Worded, load_values

MAPPINGS = Path(__file__).parents[2] / "mappings"
SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
V3 = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"


@pytest.fixture(scope="module")
def values() -> ValueWords:
    return load_values(MAPPINGS, load_concepts(MAPPINGS))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Positive", "positive"),
        ("POSITIF", "positive"),
        ("2+", "positive"),
        ("weakly positive", "positive"),
        ("Négative.", "negative"),
        ("negatif", "negative"),
        ("Non-reactive", "negative"),
        ("(negativ)", "negative"),
        ("Spuren", "trace"),
        ("(+)", "trace"),
        ("Détecté", "detected"),
        ("nachweisbar", "detected"),
        ("rilevato", "detected"),
        ("Detectado", "detected"),
        ("detected, not quantifiable", "detected-below-lloq"),
        ("hämolytisch", "invalid"),
        ("volume insuffisant", "invalid"),
        ("borderline", "invalid"),
        ("non eseguito", "not-performed"),
        ("folgt", "pending"),
        ("o. B.", "normal"),
    ],
)
def test_a_known_phrase_is_read_in_five_languages(values: ValueWords, text: str, word: str) -> None:
    assert values.word(text) == word


@pytest.mark.parametrize(
    "text",
    [
        "nicht nachweisbar",
        "target not detected",
        "pas détecté",
        "non rilevabile",
        "no detectado",
        "Undetectable",
        "keine Kryoglobuline nachweisbar",
    ],
)
def test_a_negation_that_holds_a_positive_word_is_negative(values: ValueWords, text: str) -> None:
    assert values.word(text) == "not-detected"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "positive?",
        "see comment",
        "positive for IgM, negative for IgG",
        "not negative",
        "previously positive",
        "<15",
        "positive <15",
        "detected 500 IU/mL",
        "negative" + " " * 200 + "x",
    ],
)
def test_anything_but_a_whole_known_phrase_is_unknown(values: ValueWords, text: str) -> None:
    assert values.read(text) is None


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("<15 IU/mL, not detected", "not-detected"),
        ("Not detected (< 15 IU/mL)", "not-detected"),
        ("<15 IU/mL detected", "detected-below-lloq"),
        ("Detected, <15 IU/mL", "detected-below-lloq"),
        ("nicht nachweisbar <15 IU/mL", "not-detected"),
    ],
)
def test_a_phrase_beside_a_limit_keeps_both(values: ValueWords, text: str, word: str) -> None:
    read = values.read(text)
    assert read == Worded(word, Quantity(15, "<", "IU/mL"))  # type: ignore[arg-type]


def test_a_limit_without_a_unit_is_read_too(values: ValueWords) -> None:
    assert values.read("<15 detected") == Worded("detected-below-lloq", Quantity(15, "<"))


def test_the_name_of_the_analyte_may_stand_before_its_own_result_only(values: ValueWords) -> None:
    assert values.word("HCV-RNA: nicht nachweisbar", "hcv rna") == "not-detected"
    assert values.word("HCV RNA not detected", "hcv antibody") is None
    assert values.word("HCV RNA not detected") is None
    assert values.word("Kryoglobuline negativ", "cryoglobulin presence") == "negative"


@pytest.mark.parametrize(
    ("system", "code", "word"),
    [
        (SNOMED, "260373001", "detected"),
        (SNOMED, "260415000", "not-detected"),
        ("urn:oid:2.16.840.1.113883.6.96", "10828004", "positive"),
        (SNOMED, "260385009", "negative"),
        (LOINC, "LA11883-8", "not-detected"),
        ("https://loinc.org/", "LA6576-8", "positive"),
        (LOINC, "LA15173-0", "positive"),
        (LOINC, "LA26683-5", "negative"),
        (SNOMED, "77386006", "positive"),
        (SNOMED, "999", None),
        (None, "260373001", None),
    ],
)
def test_a_coded_value_stands_for_a_word(
    values: ValueWords, system: str | None, code: str, word: str | None
) -> None:
    assert values.coded(system, code) == word


@pytest.mark.parametrize(
    ("system", "code", "flag"),
    [
        (V3, "L", "L"),
        (V3, "<", "<"),
        (V3, "ND", "ND"),
        ("http://terminology.hl7.org/CodeSystem/v2-0078", "HH", "HH"),
        (None, "N", "N"),
        (V3, "n", None),
        (V3, "S", None),
        ("http://hospital.example/flags", "L", None),
    ],
)
def test_an_interpretation_code_is_its_own_flag(
    values: ValueWords, system: str | None, code: str, flag: str | None
) -> None:
    assert values.flag(system, code) == flag


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Type II", "II"),
        ("II", "II"),
        ("type 2", "II"),
        ("Typ III", "III"),
        ("tipo I", "I"),
        ("I", "I"),
        ("mixed", "mixed"),
        ("mixte", "mixed"),
        ("gemischt", "mixed"),
        ("type II/III", "mixed"),
        ("II-III", "mixed"),
        ("Brouet II", "II"),
        # monoclonal and polyclonal: II; only polyclonal: III; only monoclonal: I
        ("IgM kappa + polyclonal IgG", "II"),
        ("IgMκ + polyclonal IgG", "II"),
        ("monoklonales IgM Kappa mit polyklonalem IgG", "II"),
        ("polyclonal IgG and IgM", "III"),
        ("IgM kappa", "I"),
        ("monoclonal IgG lambda", "I"),
        # the monoclonal half alone beside the type: a type II is reported so
        ("Type II, IgM kappa", "II"),
        ("Mixed cryoglobulinemia, IgM kappa", "II"),
        ("Mixed cryoglobulinemia type II (IgM kappa)", "II"),
        # "a type counts as presence": the word for presence beside it adds nothing
        ("Positive, type II", "II"),
        ("Positiv Typ II", "II"),
        ("présence d'une cryoglobuline de type II", "II"),
        ("Presenza di crioglobulina di tipo III", "III"),
        ("Positivo, tipo II", "II"),
    ],
)
def test_a_type_is_read_from_its_name_or_its_immunoglobulins(
    values: ValueWords, text: str, kind: str
) -> None:
    assert values.cryoglobulin_type(text) == kind


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2",
        "I/II",
        "IgM kappa & polyclonal IgG",
        "IgM kappa &",
        "Type I, IgM kappa + polyclonal IgG",
        "Type III, IgM kappa",
        "mixed type I",
        "IgM kappa + IgG",
        "IgG kappa, IgM lambda",
        "kappa",
        "cryoglobulin",
        "no type II",
        "positive",
        "Typ II nicht nachweisbar",
        "type II not detected",
        "type II?",
        "diabetes mellitus type II",
        "type II " + "cryoglobulin " * 20,
    ],
)
def test_a_type_that_is_unclear_or_contradicts_itself_is_unknown(
    values: ValueWords, text: str
) -> None:
    assert values.cryoglobulin_type(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Palpable purpura of both legs",
        "Purpura vasculaire palpable",
        "Palpabler Purpura",
        "porpora palpabile",
        "Púrpura palpable en miembros inferiores",
    ],
)
def test_palpable_purpura_is_found_in_five_languages(values: ValueWords, text: str) -> None:
    assert values.condition_concepts([text]) == ("palpable purpura",)


@pytest.mark.parametrize(
    "text",
    [
        "Leukocytoclastic vasculitis",
        "vascularite leucocytoclasique",
        "Leukozytoklastische Vaskulitis",
        "vasculite leucocitoclastica",
        "vasculitis leucocitoclástica",
    ],
)
def test_leukocytoclastic_vasculitis_is_found_in_five_languages(
    values: ValueWords, text: str
) -> None:
    assert values.condition_concepts([text]) == ("cutaneous vasculitis", "palpable purpura")


@pytest.mark.parametrize(
    "text",
    [
        "no palpable purpura",
        "palpable purpura?",
        "suspected palpable purpura",
        "sans purpura palpable",
        "keine palpable Purpura",
        "V.a. palpable Purpura",
        "Z.n. palpabler Purpura",
        "senza porpora palpabile",
        "no hay púrpura palpable",
        "family history of leukocytoclastic vasculitis",
        "purpura",
        "impalpable purpura",
    ],
)
def test_a_finding_denied_doubted_or_past_is_none(values: ValueWords, text: str) -> None:
    assert values.condition_concepts([text], ("purpura",)) == ()


# "D69.2 is purpura, not palpable purpura, unless a second coding or text says palpable":
# the national displays of D69.2 say "non-thrombocytopenic", which denies no purpura.
@pytest.mark.parametrize(
    ("text", "display"),
    [
        ("Purpura vasculaire palpable des jambes", "Autres purpuras non thrombopéniques"),
        ("Púrpura palpable", "Otras púrpuras no trombocitopénicas"),
        ("Palpable purpura", "Other non-thrombocytopenic purpura"),
        ("Palpables Purpura der Beine", "Sonstige nicht-thrombozytopenische Purpura"),
        ("Porpora palpabile", "Altre porpore non trombocitopeniche"),
        # "not elsewhere classified" is of the class, not of the patient
        ("Palpable purpura", "Other purpura, not elsewhere classified"),
        ("Palpable non-thrombocytopenic purpura", ""),
    ],
)
def test_a_display_that_names_its_class_by_what_it_is_not_denies_no_purpura(
    values: ValueWords, text: str, display: str
) -> None:
    assert values.condition_concepts([text, display], ["purpura"]) == ("palpable purpura",)


@pytest.mark.parametrize("text", ["V.a. Purpura", "kein Purpura", "palpable purpura?"])
def test_what_a_person_denies_or_doubts_no_display_affirms(values: ValueWords, text: str) -> None:
    assert values.condition_concepts([text, "Palpable purpura"], ["purpura"]) == ()


def test_a_display_that_denies_is_not_read_itself(values: ValueWords) -> None:
    assert values.condition_concepts(["", "Purpura, not palpable"], ["purpura"]) == ()


# Dipsticks of the United States say small, moderate, large for 1+, 2+, 3+.
@pytest.mark.parametrize("text", ["Small", "Moderate", "LARGE", "mäßig", "modérée", "grande"])
@pytest.mark.parametrize("concept", ["urine blood strip", "urine protein strip"])
def test_the_field_of_a_strip_is_positive(values: ValueWords, concept: str, text: str) -> None:
    assert values.word(text, concept) == "positive"


def test_the_field_of_a_strip_says_nothing_of_another_result(values: ValueWords) -> None:
    assert values.word("Large", "hcv rna presence") is None
    assert values.word("Large") is None


def test_text_makes_a_coded_condition_narrower(values: ValueWords) -> None:
    # D89.1 alone is not vasculitis, D69.2 alone is not palpable
    text = "Mixed cryoglobulinemia with vasculitis"
    assert values.condition_concepts([text]) == ()
    assert values.condition_concepts([text], ("cryoglobulinemia",)) == (
        "cryoglobulinemic vasculitis",
    )
    assert values.condition_concepts(["Purpura, palpable"], ["purpura"]) == ("palpable purpura",)


@pytest.mark.parametrize(
    ("text", "quantity"),
    [
        ("0,12 g/L", Quantity(0.12, None, "g/L")),
        ("0.12g/L", Quantity(0.12, None, "g/L")),
        ("<0.05 g/L", Quantity(0.05, "<", "g/L")),
        ("≤ 15", Quantity(15, "<=")),
        ("> 200", Quantity(200, ">")),
        ("5 %", Quantity(5, None, "%")),
        ("0,125 g/L", Quantity(0.125, None, "g/L")),
        ("3,250,000 IU/mL", Quantity(3250000, None, "IU/mL")),
        ("1.250.000 IE/ml", Quantity(1250000, None, "IE/ml")),
        ("1 250 000 UI/mL", Quantity(1250000, None, "UI/mL")),
        ("1,250.5 mg/L", Quantity(1250.5, None, "mg/L")),
        ("1.250,5 mg/L", Quantity(1250.5, None, "mg/L")),
        ("1234,567 mg/L", Quantity(1234.567, None, "mg/L")),
        ("1.2 x 10^6 IU/mL", Quantity(1200000, None, "IU/mL")),
        ("1.2E6 IU/mL", Quantity(1200000, None, "IU/mL")),
        ("150 x10^9/L", Quantity(150, None, "x10^9/L")),
        ("6.51 log IU/mL", Quantity(6.51, None, "log IU/mL")),
        ("1.5 g/24 h", Quantity(1.5, None, "g/24 h")),
        ("4 /HPF", Quantity(4, None, "/HPF")),
        ("<1:20", Quantity(20, "<", "{titer}")),
        ("1:160", Quantity(160, None, "{titer}")),
    ],
)
def test_text_that_is_a_number_and_a_unit_is_that_quantity(text: str, quantity: Quantity) -> None:
    assert parse_quantity(text) == quantity


@pytest.mark.parametrize(
    "text",
    [
        "",
        "negative",
        "1,250 IU/mL",  # 1.25 for one laboratory, 1250 for another
        "0-5",
        "5-10 /HPF",
        "-3 g/L",
        "2017-03-01",
        "12/03/2017",
        "1.5.2017",
        "0.1~negativ",
        "1 2 g/L",
        "nan",
        "Infinity",
        "\u0665 g/L",
        "5" * 70,
    ],
)
def test_text_that_may_be_something_else_is_no_quantity(text: str) -> None:
    assert parse_quantity(text) is None


def copied(tmp_path: Path, name: str, before: str, after: str) -> Path:
    """The shipped value files with one change in one of them."""
    (tmp_path / "values").mkdir()
    for path in (MAPPINGS / "values").glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        if path.name == name:
            assert before in text
            text = text.replace(before, after, 1)
        (tmp_path / "values" / path.name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "before", "after", "message"),
    [
        (
            "words.yaml",
            "[negative, neg,",
            "[negative, neg, positive,",
            "words.yaml: words.negative: 'positive' is positive too",
        ),
        (
            "words.yaml",
            "[hcv antibody]",
            "[hcv antibodies]",
            "words.yaml: 'hcv antibodies' is not in concepts.yaml",
        ),
        ("coded.yaml", '"260373001"', '"260373002"', "coded.yaml: rows.0.code: wrong check digit"),
        (
            "coded.yaml",
            '{system: "http://loinc.org", code: "LA11882-0"',
            '{system: "http://example.org", code: "LA11882-0"',
            "coded.yaml: rows.4.system: not under systems",
        ),
        (
            "conditions.yaml",
            "coded: purpura",
            "coded: porpura",
            "conditions.yaml: 'porpura' is not in concepts.yaml",
        ),
        (
            "conditions.yaml",
            "en: [leukocytoclastic vasculitis,",
            "en: [palpable purpura,",
            "conditions.yaml: phrases: 'palpable purpura' stands twice",
        ),
    ],
)
def test_a_wrong_value_file_is_refused_in_one_line(
    tmp_path: Path, name: str, before: str, after: str, message: str
) -> None:
    root = copied(tmp_path, name, before, after)
    with pytest.raises(RulebookInvalid) as refused:
        load_values(root, load_concepts(MAPPINGS))
    assert str(refused.value) == message
