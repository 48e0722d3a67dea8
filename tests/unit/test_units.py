from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from ucumvert import PintUcumRegistry  # type: ignore[import-untyped]

from cryovigil.errors import RulebookInvalid
from cryovigil.normalize.codes import load_concepts
from cryovigil.normalize.unit_files import Scale
from cryovigil.normalize.units import (
    CONTRADICTION,
    IMPLAUSIBLE,
    UNKNOWN,
    Amount,
    UnitTable,
    load_units,
)

MAPPINGS = Path(__file__).parents[2] / "mappings"


@pytest.fixture(scope="module")
def units() -> UnitTable:
    return load_units(MAPPINGS, load_concepts(MAPPINGS))


def value_of(found: object) -> float:
    assert isinstance(found, Amount), found
    return found.value


@pytest.mark.parametrize(
    ("concept", "value", "unit", "canonical"),
    [
        # 0.05 g/L = 5 mg/dL = 50 mg/L = 50 ug/mL: at the threshold, not above it
        ("cryoglobulin quantity", 5, "mg/dL", 0.05),
        ("cryoglobulin quantity", 50, "mg/L", 0.05),
        ("cryoglobulin quantity", 50, "ug/mL", 0.05),
        ("cryoglobulin quantity", 51, "mg/L", 0.051),
        ("cryoglobulin quantity", 40, "mg/L", 0.04),
        ("complement c4", 2.3, "mg/dL", 0.023),
        ("complement c4", 10, "mg/dL", 0.1),
        # 1.58 x 88.42 = 139.7036 and 1.59 x 88.42 = 140.5878: either side of 140 umol/L
        ("creatinine", 1.58, "mg/dL", 139.7036),
        ("creatinine", 1.59, "mg/dL", 140.5878),
        ("creatinine", 0.14, "mmol/L", 140),
        ("rheumatoid factor", 160, "k[IU]/L", 160),
        ("rheumatoid factor", 21, "U/mL", 21),
        ("rheumatoid factor", 20000, "[IU]/L", 20),
        # 426000 IU/L is 426 IU/mL
        ("hcv rna", 426000, "[IU]/L", 426),
        ("hcv rna", 3.25, "10*6.[IU]/mL", 3250000),
        # 1 mg/mmol = 8.84 mg/g; 1 g/g = 1000 mg/g
        ("urine protein creatinine ratio", 113, "mg/mmol", 998.92),
        ("urine protein creatinine ratio", 1, "g/g{creat}", 1000),
        ("urine protein 24 h", 1000, "mg/(24.h)", 1),
        ("hemoglobin", 100, "g/L", 10),
        # 6.2 mmol/L x 1.6114 = 9.99068 g/dL
        ("hemoglobin", 6.2, "mmol/L", 9.99068),
        ("platelets", 99000, "/uL", 99),
        ("platelets", 100, "10*3/uL", 100),
        # NGSP % = 0.09148 x 53 + 2.152 = 7.00044
        ("hemoglobin a1c", 53, "mmol/mol", 7.00044),
        ("thyrotropin", 2.5, "u[IU]/mL", 2.5),
    ],
)
def test_a_ucum_unit_converts_exactly(
    units: UnitTable, concept: str, value: float, unit: str, canonical: float
) -> None:
    assert value_of(units.convert(concept, value, unit)) == canonical


@pytest.mark.parametrize(
    ("concept", "value", "text", "canonical"),
    [
        ("creatinine", 140, "\u00b5mol/l", 140),
        ("creatinine", 140, "\u03bcmol/L", 140),
        ("cryoglobulin quantity", 60, "mg / L", 0.06),
        ("cryoglobulin quantity", 6, "MG/DL", 0.06),
        ("rheumatoid factor", 30, "IE/ml", 30),
        ("rheumatoid factor", 30, "UI/mL", 30),
        ("platelets", 95, "G/L", 95),
        ("platelets", 95, "10⁹/L", 95),
        ("platelets", 95, "Tsd/µl", 95),
        ("complement c4", 0.2, "G/L", 0.2),
        ("urine protein 24 h", 1.2, "g/24 h", 1.2),
        ("egfr", 29, "ml/min/1,73m²", 29),
        ("urine erythrocytes", 4, "/HPF", 4),
    ],
)
def test_the_spellings_of_laboratories_are_read(
    units: UnitTable, concept: str, value: float, text: str, canonical: float
) -> None:
    assert value_of(units.convert(concept, value, unit_text=text)) == canonical


def test_one_spelling_means_what_its_concept_makes_of_it(units: UnitTable) -> None:
    platelets = units.convert("platelets", 3, unit_text="G/L")
    albumin_like = units.convert("igg", 3, unit_text="G/L")
    assert isinstance(platelets, Amount)
    assert isinstance(albumin_like, Amount)
    assert (platelets.unit, albumin_like.unit) == ("10*9/L", "g/L")


def test_a_display_unit_may_differ_from_its_code_when_the_factor_is_one(units: UnitTable) -> None:
    assert value_of(units.convert("alpha-fetoprotein", 24, "ng/mL", "µg/l")) == 24


def test_code_and_text_of_other_factors_contradict(units: UnitTable) -> None:
    assert units.convert("complement c4", 15, "mg/dL", "g/L") == CONTRADICTION


def test_a_unit_of_another_quantity_contradicts(units: UnitTable) -> None:
    assert units.convert("complement c4", 15, "mg/dL", "mmol/L") == CONTRADICTION
    assert units.convert("cryoglobulin quantity", 1, "%", "g/L") == CONTRADICTION


def test_a_code_nobody_knows_leaves_the_text_to_decide(units: UnitTable) -> None:
    assert value_of(units.convert("complement c4", 15, "mg/dl{serum}", "mg/dL")) == 0.15


@pytest.mark.parametrize("text", ["\ufffdmol/L", "mol/L", "?mol/L"])
def test_a_lost_micro_sign_is_refused(units: UnitTable, text: str) -> None:
    assert units.convert("creatinine", 140, unit_text=text) == UNKNOWN


def test_a_lost_micro_sign_in_the_code_contradicts_the_text(units: UnitTable) -> None:
    assert units.convert("creatinine", 140, "mol/L", "umol/L") == CONTRADICTION


@pytest.mark.parametrize(
    ("concept", "unit"),
    [
        ("cryoglobulin quantity", None),
        ("cryoglobulin quantity", "  "),
        ("cryocrit", "mm"),
        ("cryocrit", "g/L"),
        ("rheumatoid factor", "mg/dL"),
        ("hcv rna", "{copies}/mL"),
        ("urine protein creatinine ratio", "mg/dL"),
        ("urine protein concentration", "mg/g"),
        ("cryoglobulin presence", "g/L"),
        ("no such concept", "g/L"),
    ],
)
def test_a_missing_or_foreign_unit_converts_nothing(
    units: UnitTable, concept: str, unit: str | None
) -> None:
    assert units.convert(concept, 1, unit) == UNKNOWN


def test_case_tells_units_apart(units: UnitTable) -> None:
    # m is milli, M is mega: no folding turns one into the other
    assert value_of(units.convert("hbv dna", 1, "M[IU]/mL")) == 1_000_000
    assert units.convert("hbv dna", 1, "m[IU]/mL") == UNKNOWN


@pytest.mark.parametrize(
    ("concept", "inside", "outside", "unit"),
    [
        ("creatinine", 5, 4.9, "umol/L"),
        ("creatinine", 5000, 5001, "umol/L"),
        ("cryoglobulin quantity", 100, 101, "g/L"),
        ("cryocrit", 100, 101, "%"),
        ("hemoglobin", 30, 31, "g/dL"),
        ("complement c4", 0, -0.1, "g/L"),
    ],
)
def test_a_value_outside_the_plausible_is_refused(
    units: UnitTable, concept: str, inside: float, outside: float, unit: str
) -> None:
    assert value_of(units.convert(concept, inside, unit)) == inside
    assert units.convert(concept, outside, unit) == IMPLAUSIBLE


def test_a_log_unit_is_a_power_of_ten(units: UnitTable) -> None:
    # 2 log is 100 IU/mL, under either code
    for text in ("{Log_IU}/mL", "log IU/mL", "[log_IU]/mL", "log10 IU/mL", "log UI/mL"):
        found = units.convert("hcv rna", 2, unit_text=text)
        assert found == Amount(100, "[IU]/mL", raw=2, log=True)


def test_a_log_code_reads_a_bare_number_as_a_log(units: UnitTable) -> None:
    assert units.convert("hcv rna log", 2) == Amount(100, "[IU]/mL", raw=2, log=True)
    assert units.convert("hcv rna log", 2, "[IU]/mL") == Amount(100, "[IU]/mL", raw=2, log=True)


def test_a_number_that_cannot_be_a_log_contradicts_its_code(units: UnitTable) -> None:
    assert units.convert("hcv rna log", 12.1, "[IU]/mL") == CONTRADICTION
    assert units.convert("hcv rna log", 1e300) == CONTRADICTION


def test_a_plain_code_beside_a_log_text_contradicts(units: UnitTable) -> None:
    assert units.convert("hcv rna", 6.5, "[IU]/mL", "log IU/mL") == CONTRADICTION


def test_copies_stay_copies(units: UnitTable) -> None:
    found = units.convert("hcv rna copies", 500, "{copies}/mL")
    assert found == Amount(500, "{copies}/mL", raw=500)


def test_cells_by_field_and_by_volume_keep_their_units(units: UnitTable) -> None:
    by_field = units.convert("urine erythrocytes", 4, "/[HPF]")
    by_volume = units.convert("urine erythrocytes", 11, "/uL")
    assert isinstance(by_field, Amount)
    assert isinstance(by_volume, Amount)
    assert (by_field.unit, by_volume.unit) == ("/[HPF]", "/uL")


def test_the_unit_of_the_site_stands_in_for_a_missing_one(units: UnitTable) -> None:
    assert value_of(units.convert("cryoglobulin quantity", 60, local="mg/L")) == 0.06


def test_the_unit_of_the_site_never_overrides_the_result(units: UnitTable) -> None:
    assert units.convert("cryoglobulin quantity", 60, "g/L", local="mg/L") == CONTRADICTION
    assert units.convert("cryoglobulin quantity", 60, None, "bands", local="mg/L") == UNKNOWN


@pytest.mark.parametrize(
    ("code", "text", "axis"),
    [
        ("mg/L", None, "cryoglobulin quantity"),
        (None, "µg/ml", "cryoglobulin quantity"),
        ("%", None, "cryocrit"),
        ("%", "%", "cryocrit"),
        ("%", "mg/L", None),
        (None, "mm", None),
        (None, None, None),
    ],
)
def test_the_unit_decides_the_axis_of_a_cryoglobulin(
    units: UnitTable, code: str | None, text: str | None, axis: str | None
) -> None:
    assert units.axis(code, text) == axis


def test_a_reference_range_is_scaled_without_limits(units: UnitTable) -> None:
    scale = units.scale("creatinine", "mg/dL")
    assert isinstance(scale, Scale)
    assert scale.apply(0) == 0
    assert scale.apply(1.2) == 106.104


def test_every_concept_with_limits_says_why() -> None:
    for path in sorted((MAPPINGS / "units").glob("*.yaml")):
        file = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
        for concept, limits in file.get("concepts", {}).items():
            assert limits["because"], (path.name, concept)
            assert limits.get("lower", 0) < limits["upper"], (path.name, concept)


FILE = """\
dimension: x
canonical: g/L
source: x
factors: {{{factors}}}
spellings: {{{spellings}}}
concepts:
  complement c4: {{upper: 5, because: x}}
"""


@pytest.mark.parametrize(
    ("factors", "spellings", "message"),
    [
        ('g/L: "1", mg/L: "a"', "", "x.yaml: factors.mg/L: a decimal number in quotes is expected"),
        ('mg/L: "1"', "", "x.yaml: factors: the canonical unit is missing"),
        ('g/L: "2"', "", "x.yaml: factors.g/L: the canonical unit has factor 1"),
        ('g/L: "1"', "mg/L: [mg/l]", "x.yaml: spellings.mg/L: no unit of this file"),
        (
            'g/L: "1", mg/L: "0.001"',
            "g/L: [u], mg/L: [u]",
            "x.yaml: spellings.mg/L: 'u' is another unit too",
        ),
    ],
)
def test_a_wrong_unit_file_is_refused_in_one_line(
    tmp_path: Path, factors: str, spellings: str, message: str
) -> None:
    (tmp_path / "units").mkdir()
    (tmp_path / "units" / "spellings.yaml").write_text("spellings: {}\n")
    text = FILE.format(factors=factors, spellings=spellings)
    (tmp_path / "units" / "x.yaml").write_text(text)
    with pytest.raises(RulebookInvalid) as refused:
        load_units(tmp_path, load_concepts(MAPPINGS))
    assert str(refused.value) == message


def test_the_factors_agree_with_pint_where_it_knows_the_units() -> None:
    """UCUM codes read by ucumvert, magnitudes by pint: an opinion that is not ours.

    It has none on arbitrary units, logarithms, counts, and mass to substance (the molar mass).
    """
    registry = PintUcumRegistry()
    compared = 0
    for path in sorted((MAPPINGS / "units").glob("*.yaml")):
        file = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
        for code, factor in file.get("factors", {}).items():
            if "[" in code or "{" in code or code in ("1", *file.get("offsets", ())):
                continue
            one = registry.from_ucum(code)
            canonical = registry.from_ucum(file["canonical"])
            if one.dimensionality != canonical.dimensionality:
                continue
            ours = float(Decimal(factor))
            assert one.to(canonical.units).magnitude / canonical.magnitude == pytest.approx(
                ours, rel=1e-9
            ), (path.name, code)
            compared += 1
    assert compared > 40
