"""What the made-up hospital measures, diagnoses and prescribes, and what of it should be watched.

`concept` is what the code's own system says it is (LOINC, ICD-10, ATC), None where nothing of it
bears on cryoglobulinemic vasculitis. The run fails where the service sees that differently.
"""

from __future__ import annotations

from msgspec import Struct


class Assay(Struct, frozen=True):
    """A measurement with a number. low, high: the reference range, in which every value lies."""

    loinc: str
    display: str
    unit: str
    low: float
    high: float
    concept: str | None = None
    category: str = "laboratory"


class Listed(Struct, frozen=True):
    """A diagnosis in ICD-10 or a drug in ATC."""

    code: str
    display: str
    concept: str | None = None


# The bulk of any hospital: nothing of it is watched.
COMMON = (
    Assay("8867-4", "Heart rate", "/min", 55, 95, category="vital-signs"),
    Assay("9279-1", "Respiratory rate", "/min", 12, 20, category="vital-signs"),
    Assay("8310-5", "Body temperature", "Cel", 36.1, 37.4, category="vital-signs"),
    Assay(
        "59408-5",
        "Oxygen saturation in Arterial blood by Pulse oximetry",
        "%",
        94,
        100,
        category="vital-signs",
    ),
    Assay("8480-6", "Systolic blood pressure", "mm[Hg]", 100, 140, category="vital-signs"),
    Assay("8462-4", "Diastolic blood pressure", "mm[Hg]", 60, 90, category="vital-signs"),
    Assay("29463-7", "Body weight", "kg", 50, 95, category="vital-signs"),
    Assay("2951-2", "Sodium [Moles/volume] in Serum or Plasma", "mmol/L", 136, 145),
    Assay("2823-3", "Potassium [Moles/volume] in Serum or Plasma", "mmol/L", 3.5, 5.1),
    Assay("2075-0", "Chloride [Moles/volume] in Serum or Plasma", "mmol/L", 98, 107),
    Assay("17861-6", "Calcium [Mass/volume] in Serum or Plasma", "mg/dL", 8.6, 10.2),
    Assay("2777-1", "Phosphate [Mass/volume] in Serum or Plasma", "mg/dL", 2.5, 4.5),
    Assay("1988-5", "C reactive protein [Mass/volume] in Serum or Plasma", "mg/L", 0, 5),
    Assay("1975-2", "Bilirubin.total [Mass/volume] in Serum or Plasma", "mg/dL", 0.2, 1.2),
    Assay("6301-6", "INR in Platelet poor plasma by Coagulation assay", "{INR}", 0.9, 1.1),
)
COMMON_CONDITIONS = (
    Listed("I10", "Essential (primary) hypertension"),
    Listed("M54.5", "Low back pain"),
    Listed("J06.9", "Acute upper respiratory infection, unspecified"),
    Listed("K21.9", "Gastro-oesophageal reflux disease without oesophagitis"),
)
COMMON_DRUGS = (
    Listed("C08CA01", "amlodipine"),
    Listed("A02BC01", "omeprazole"),
    Listed("N02BE01", "paracetamol"),
    Listed("C10AA05", "atorvastatin"),
)

# Stored beside an anchor. Every value is normal, so that none of them opens or keeps a card: two
# creatinines of 70 to 90 umol/L are neither 1.5 times nor 26.5 umol/L apart, nor above 140.
CONTEXT = (
    Assay(
        "14682-9", "Creatinine [Moles/volume] in Serum or Plasma", "umol/L", 70, 90, "creatinine"
    ),
    Assay("718-7", "Hemoglobin [Mass/volume] in Blood", "g/dL", 12, 16, "hemoglobin"),
    Assay(
        "777-3",
        "Platelets [#/volume] in Blood by Automated count",
        "10*3/uL",
        160,
        400,
        "platelets",
    ),
    Assay(
        "6690-2",
        "Leukocytes [#/volume] in Blood by Automated count",
        "10*3/uL",
        4,
        10,
        "leukocytes",
    ),
    Assay(
        "2532-0",
        "Lactate dehydrogenase [Enzymatic activity/volume] in Serum or Plasma",
        "U/L",
        120,
        240,
        "lactate dehydrogenase",
    ),
    Assay("2345-7", "Glucose [Mass/volume] in Serum or Plasma", "mg/dL", 70, 99, "glucose"),
    Assay(
        "1742-6",
        "Alanine aminotransferase [Enzymatic activity/volume] in Serum or Plasma",
        "U/L",
        10,
        40,
        "alanine aminotransferase",
    ),
)
