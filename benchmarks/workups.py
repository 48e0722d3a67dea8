"""Patients in whom somebody thinks of hepatitis C or of vasculitis: their anchors, and the cards.

What each is expected to end with follows from the rules in words, quoted beside it; nothing here
asks the service. Order of arrival does not matter: cards that open on the way and are retracted
are not counted. Each patient has one kind of workup and may go through it more than once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from msgspec import Struct

from benchmarks.catalogue import Assay, Listed
from benchmarks.resources import NEGATIVE, NOT_DETECTED, POSITIVE, Writer

CRYOVAS = "cryovas-likely"
HCV_SEARCH = "hcv-search"
KIDNEY = "renal-involvement"
LYMPHOMA = "post-svr-lymphoma-search"

_C4 = Assay(
    "4498-2", "Complement C4 [Mass/volume] in Serum or Plasma", "g/L", 0.1, 0.4, "complement c4"
)
_RF = Assay(
    "11572-5",
    "Rheumatoid factor [Units/volume] in Serum or Plasma",
    "[IU]/mL",
    0,
    14,
    "rheumatoid factor",
)
_RNA = Assay(
    "11011-4",
    "Hepatitis C virus RNA [Units/volume] in Serum or Plasma by NAA",
    "[IU]/mL",
    0,
    15,
    "hcv rna",
)
_RNA_PRESENCE = (
    "11259-9",
    "Hepatitis C virus RNA [Presence] in Serum or Plasma by NAA with probe detection",
)
_ARTHRALGIA = Listed("M25.5", "Pain in joint", "arthralgia")
_VASCULITIS = Listed("L95.9", "Vasculitis limited to skin, unspecified", "cutaneous vasculitis")
_RENAL_FAILURE = Listed("N17.9", "Acute renal failure, unspecified", "acute renal failure")
_ANTIVIRAL = Listed("J05AP55", "sofosbuvir and velpatasvir", "hcv direct-acting antiviral")

# The concept an anchor is of, and its resource under an id of its own.
Anchor: TypeAlias = tuple[str, bytes]
# An id for each resource of the visit, and how many days ago the visit was.
Steps: TypeAlias = Callable[[Writer, Iterator[str], int], tuple[Anchor, ...]]


class Workup(Struct, frozen=True):
    """weight: how many of a hundred workups are of this kind; cards: rules with an open card."""

    name: str
    weight: int
    cards: tuple[str, ...]
    steps: Steps


def _low_c4(writer: Writer, ids: Iterator[str], ago: int) -> Anchor:
    return "complement c4", writer.measured(next(ids), _C4, 0.04, ago, "L")


def _cryoglobulin(writer: Writer, ids: Iterator[str], ago: int) -> Anchor:
    body = writer.worded(next(ids), "5117-7", "Cryoglobulin [Presence] in Serum", POSITIVE, ago)
    return "cryoglobulin presence", body


def _antibody(
    writer: Writer, ids: Iterator[str], ago: int, word: tuple[str, str] = POSITIVE
) -> Anchor:
    display = "Hepatitis C virus Ab [Presence] in Serum or Plasma by Immunoassay"
    return "hcv antibody", writer.worded(next(ids), "13955-0", display, word, ago)


def _viremia(writer: Writer, ids: Iterator[str], ago: int) -> Anchor:
    return "hcv rna", writer.measured(next(ids), _RNA, 1_260_000, ago, "H")


def _diagnosis(writer: Writer, ids: Iterator[str], ago: int, listed: Listed) -> Anchor:
    return str(listed.concept), writer.condition(next(ids), listed, ago)


def _screened(writer: Writer, ids: Iterator[str], ago: int) -> tuple[Anchor, ...]:
    return (_antibody(writer, ids, ago, NEGATIVE),)


def _joints(writer: Writer, ids: Iterator[str], ago: int) -> tuple[Anchor, ...]:
    return (
        ("rheumatoid factor", writer.measured(next(ids), _RF, 8, ago)),
        ("complement c4", writer.measured(next(ids), _C4, 0.25, ago)),
        _diagnosis(writer, ids, ago, _ARTHRALGIA),
    )


def _in_treatment(writer: Writer, ids: Iterator[str], ago: int) -> tuple[Anchor, ...]:
    return (
        _antibody(writer, ids, ago),
        _viremia(writer, ids, ago),
        ("hcv direct-acting antiviral", writer.prescription(next(ids), _ANTIVIRAL, ago)),
    )


def _cryoglobulinemia(writer: Writer, ids: Iterator[str], ago: int) -> tuple[Anchor, ...]:
    return (
        _cryoglobulin(writer, ids, ago),
        ("complement c4", writer.measured(next(ids), _C4, 0.22, ago)),
        ("rheumatoid factor", writer.measured(next(ids), _RF, 64, ago, "H")),
    )


def _viral_vasculitis(writer: Writer, ids: Iterator[str], ago: int) -> tuple[Anchor, ...]:
    return (*_vasculitis(writer, ids, ago), _viremia(writer, ids, ago))


def _vasculitis(writer: Writer, ids: Iterator[str], ago: int) -> tuple[Anchor, ...]:
    return (
        _cryoglobulin(writer, ids, ago),
        _low_c4(writer, ids, ago),
        _diagnosis(writer, ids, ago, _VASCULITIS),
    )


def _kidney(writer: Writer, ids: Iterator[str], ago: int) -> tuple[Anchor, ...]:
    return (
        _cryoglobulin(writer, ids, ago),
        _low_c4(writer, ids, ago),
        _diagnosis(writer, ids, ago, _RENAL_FAILURE),
    )


def _cured(writer: Writer, ids: Iterator[str], ago: int) -> tuple[Anchor, ...]:
    """Treated until 300 days before the visit, without virus 200 days later, and not well."""
    end = ago + 300
    return (
        _viremia(writer, ids, end + 120),
        (
            "hcv direct-acting antiviral",
            writer.prescription(next(ids), _ANTIVIRAL, end + 84, status="completed"),
        ),
        ("hcv rna presence", writer.worded(next(ids), *_RNA_PRESENCE, NOT_DETECTED, end - 200)),
        _cryoglobulin(writer, ids, end - 100),
        _cryoglobulin(writer, ids, end - 270),
    )


WORKUPS = (
    # "An antibody negative alone never closes the search"; and nothing asks for one.
    Workup("screened for hepatitis C", 40, (), _screened),
    # "Articular signs alone" suggest nothing, and C4 and rheumatoid factor are normal.
    Workup("joint pain", 30, (), _joints),
    # "HCV settled: RNA ever detected." No cryoglobulin, no sign.
    Workup("in treatment for hepatitis C", 12, (), _in_treatment),
    # "If HCV infection is not already diagnosed, searching for HCV is mandatory." No sign.
    Workup("cryoglobulinemia alone", 6, (HCV_SEARCH,), _cryoglobulinemia),
    # A sign, a low C4 and one positive cryoglobulin; RNA detected settles HCV.
    Workup("vasculitis in hepatitis C", 5, (CRYOVAS,), _viral_vasculitis),
    Workup("vasculitis, hepatitis C unknown", 3, (CRYOVAS, HCV_SEARCH), _vasculitis),
    # "An active Condition of acute renal failure" is a renal sign, and the kidney takes part.
    Workup("kidney failure", 2, (CRYOVAS, HCV_SEARCH, KIDNEY), _kidney),
    # RNA not detected 200 days after the end (svr24, from day 168): "in case of persistent mixed
    # cryoglobulin despite HCV clearance, a B-cell lymphoma should [be] searched": two positives,
    # days 100 and 270, 170 days apart (at least 84), the later from day 168.
    Workup("cryoglobulin after the cure", 2, (LYMPHOMA,), _cured),
)
SCREENED = WORKUPS[0]
