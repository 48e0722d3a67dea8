"""Has HCV been looked for in a patient whose cryoglobulin or signs ask for it?

"If HCV infection is not already diagnosed, searching for HCV is mandatory." (Desbois 2017, 2.3)

Fires when HCV is not settled and one of these is met, named in the card's criteria:

* cryoglobulin-mixed-or-untyped: a positive that counts, not of type I only
* cryovas-known: cryoglobulinemic vasculitis on the problem list
* cryovas-suspected: likely, likely-provisional or possible
* strongly-suggestive: low C4 with active palpable purpura or glomerulonephritis, not explained

HCV is settled where RNA was ever detected, was not detected within the last 12 months, or a cure
is proven; so the card opens by the calendar alone when the last negative RNA passes 12 months. It
asks for the antibody and the RNA, for the RNA alone where the antibody is known to be positive,
and never for a test that is under way. An antibody, negative or positive, never closes the search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryovigil.facts.results import latest
from cryovigil.facts.svr import settled
from cryovigil.facts.truth import Truth, any_of
from cryovigil.rules import Answer, CannotTell, Figure, Fired, Parameters, Quiet, Word
from cryovigil.rules.showing import measured, since_sign

if TYPE_CHECKING:
    from cryovigil.facts import Facts
    from cryovigil.normalize.readings import AnyReading

ID = "hcv-search"

_CRYOGLOBULIN = "cryoglobulin presence"
_ANTIBODY = "hcv antibody"
_RNA = "hcv rna"


def answer(facts: Facts, _p: Parameters) -> Answer:
    """Fired, quiet (settled, no reason to search, under way), or cannot tell."""
    if settled(facts):
        return Quiet(because=("hcv-settled",), evidence=_samples(facts))
    reasons = _reasons(facts)
    asked = any_of(*reasons.values())
    if asked is None:
        return CannotTell(missing=_undecided(reasons))
    if not asked:
        return Quiet(because=("no-reason-to-search",))
    wanted = _wanted(facts)
    if not wanted:
        return Quiet(because=("test-under-way",), evidence=_pending(facts))
    criteria = tuple(name for name, met in reasons.items() if met)
    return Fired(
        indicator="warning",
        criteria=(*criteria, "hcv-not-settled"),
        evidence=_evidence(facts),
        missing=wanted,
        figures=_figures(facts, wanted) | _so_far(facts),
    )


def _reasons(facts: Facts) -> dict[str, Truth]:
    cryoglobulin, cryovas = facts.cryoglobulin, facts.cryovas
    return {
        "cryoglobulin-mixed-or-untyped": (
            cryoglobulin.mixed_or_untyped if cryoglobulin.tested else None
        ),
        "cryovas-known": bool(cryovas.known),
        "cryovas-suspected": cryovas.suspected,
        "strongly-suggestive": facts.signs.strongly_suggestive,
    }


def _undecided(reasons: dict[str, Truth]) -> tuple[str, ...]:
    concepts = {
        "cryoglobulin-mixed-or-untyped": _CRYOGLOBULIN,
        "strongly-suggestive": "complement c4",
    }
    return tuple(c for name, c in concepts.items() if reasons[name] is None)


def _wanted(facts: Facts) -> tuple[str, ...]:
    """What to order: nothing that is known for good, nothing that is under way."""
    hcv = facts.hcv
    antibody = hcv.antibody is not True and not hcv.pending_antibody
    return (*((_ANTIBODY,) if antibody else ()), *(() if hcv.pending_rna else (_RNA,)))


def _pending(facts: Facts) -> tuple[AnyReading, ...]:
    return (*facts.hcv.pending_antibody, *facts.hcv.pending_rna)


def _samples(facts: Facts) -> tuple[AnyReading, ...]:
    return tuple(sample.result for sample in facts.hcv.samples)


def _evidence(facts: Facts) -> tuple[AnyReading, ...]:
    """What asks for the search, and what is known of HCV so far."""
    cryovas, antibody = facts.cryovas, facts.hcv.antibody_result
    low = facts.complement.c4.result if facts.signs.strongly_suggestive else None
    found = (
        *(r for d in facts.cryoglobulin.counting for r in d.results),
        *cryovas.known,
        *(cryovas.sign.readings if cryovas.sign else ()),
        *((low,) if low else ()),
        *_samples(facts),
        *((antibody,) if antibody else ()),
        *facts.hcv.conditions,
        *_pending(facts),
    )
    return tuple(dict.fromkeys(found))


def _figures(facts: Facts, wanted: tuple[str, ...]) -> dict[str, Figure]:
    positive = facts.cryoglobulin.latest_positive
    sign = facts.cryovas.sign
    both = len(wanted) > 1
    order = Word("order-both" if both else f"order-{wanted[0]}")
    return {
        "summary": _summary(facts),
        "order": order,
        "how": Word("how-both" if both else f"how-{wanted[0]}"),
        "why_both": Word("why-both") if both else None,
        "kind": Word(f"type-{facts.cryoglobulin.kind}") if facts.cryoglobulin.kind else None,
        "cryo": measured(positive.leading) if positive else None,
        "day": positive.when if positive else None,
        "sign": sign.concept if sign else None,
        "since": since_sign(sign),
        "c4": measured(facts.complement.c4.result) if facts.signs.strongly_suggestive else None,
        "if_not": Word("if-rna" if facts.hcv.antibody else "if-both"),
        "listed": Word("listed") if facts.hcv.conditions else None,
        "asserted": Word("asserted") if facts.hcv.asserted_svr else None,
    }


def _summary(facts: Facts) -> Word:
    if facts.cryoglobulin.mixed_or_untyped:
        return Word("cryoglobulin")
    if facts.cryovas.known:
        return Word("known")
    return Word("suspected" if facts.cryovas.suspected else "signs")


def _so_far(facts: Facts) -> dict[str, Figure]:
    """Absence is of what this service was sent: "none known here", never "never tested"."""
    antibody = facts.hcv.antibody_result
    rna = latest(sample.result for sample in facts.hcv.samples)
    return {
        "antibody": measured(antibody) or Word("none-known"),
        "rna": measured(rna) or Word("none-known"),
        "pending": Word("pending") if _pending(facts) else None,
    }
