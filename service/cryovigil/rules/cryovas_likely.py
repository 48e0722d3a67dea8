"""Is cryoglobulinemic vasculitis likely, or possible, and what is missing to know?

"The diagnosis of CryoVas is usually based on the association of clinical vasculitis symptoms, a
cryoglobulinemia and a decreased C4 serum level." (Desbois 2017, 2.2)

Fires where vasculitis is suspected (facts.cryovas), is not known already, and HCV is not cured
(after a cure the search for lymphoma speaks). Criteria: the level, then what of the triad is met:

* likely, likely-provisional (warning), possible (info)
* sign, low-c4, cryoglobulin-positive or cryoglobulin-trace

It names what is missing: C4, rheumatoid factor, type, and the second determination from 12 weeks
after the first positive. That one enters by the calendar alone and updates the card. A negative or
a trace since the last positive is shown. De Vita 2011 stands beside the triad and moves neither
level nor indicator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryovigil.facts.as_of import shifted
from cryovigil.facts.cryoglobulin import Determination
from cryovigil.facts.cryovas import standing_trace
from cryovigil.facts.findings import ongoing
from cryovigil.rules import Answer, CannotTell, Figure, Fired, Parameters, Quiet, Word
from cryovigil.rules.showing import determined, later_state, measured, named, since_sign

if TYPE_CHECKING:
    from cryovigil.facts import Facts
    from cryovigil.facts.complement import Item
    from cryovigil.facts.truth import Truth
    from cryovigil.normalize.readings import AnyReading

ID = "cryovas-likely"

_CRYOGLOBULIN = "cryoglobulin presence"
_C4 = "complement c4"
_RF = "rheumatoid factor"
_TYPE = "cryoglobulin type"
_GROUPS = ("questionnaire", "clinical", "laboratory")
_GENERAL = ("fatigue", "weakness")


def answer(facts: Facts, p: Parameters) -> Answer:
    """Fired, quiet (known, cured, not suspected), or cannot tell without a cryoglobulin."""
    cryovas = facts.cryovas
    if cryovas.known:
        return Quiet(because=("known-diagnosis",), evidence=cryovas.known)
    if facts.svr.cured:
        return Quiet(because=("hcv-cured",))
    if not cryovas.suspected:
        if facts.signs.present and not facts.cryoglobulin.tested:
            return CannotTell(missing=(_CRYOGLOBULIN,), evidence=_signs(facts))
        return Quiet(because=(cryovas.level,), evidence=cryovas.evidence)
    return Fired(
        indicator="info" if cryovas.level == "possible" else "warning",
        criteria=(cryovas.level, *_met(facts)),
        evidence=_evidence(facts),
        missing=_missing(facts, p),
        figures=_found(facts) | _beside(facts) | _wanted(facts, p),
    )


def _met(facts: Facts) -> tuple[str, ...]:
    triad = facts.cryovas.triad
    met = {
        "sign": triad["sign"],
        "low-c4": triad["c4"],
        "cryoglobulin-positive": facts.cryoglobulin.positive,
        "cryoglobulin-trace": not facts.cryoglobulin.positive,
    }
    return tuple(name for name, value in met.items() if value)


def _signs(facts: Facts) -> tuple[AnyReading, ...]:
    return tuple(dict.fromkeys(r for s in facts.signs.present for r in s.readings))


def _evidence(facts: Facts) -> tuple[AnyReading, ...]:
    shown, later = _shown(facts), facts.cryoglobulin.since_positive
    items = (facts.complement.c4, facts.complement.c3, facts.complement.rf)
    found = (
        *_signs(facts),
        *(i.result for i in items if i.result),
        *(r for d in facts.cryoglobulin.counting for r in d.results),
        *(shown.results if shown else ()),
        *(later.results if later else ()),
        *facts.explained.diagnoses,
    )
    return tuple(dict.fromkeys(found))


def _missing(facts: Facts, p: Parameters) -> tuple[str, ...]:
    """Nothing that is known and young enough, and no cryoglobulin while one is under way."""
    cryoglobulin = facts.cryoglobulin
    untyped = cryoglobulin.positive and cryoglobulin.kind is None
    found = {
        _C4: _wanting(facts.complement.c4),
        _RF: _wanting(facts.complement.rf),
        _TYPE: untyped and not cryoglobulin.pending,
        _CRYOGLOBULIN: _second_due(facts, p) and not cryoglobulin.pending,
    }
    return tuple(concept for concept, wanting in found.items() if wanting)


def _wanting(item: Item) -> bool:
    return item.state is None or bool(item.old)


def _second_due(facts: Facts, p: Parameters) -> bool:
    """From 12 weeks after the first positive, while no two lie that far apart."""
    first = facts.cryoglobulin.first_positive
    if first is None or facts.cryoglobulin.two(p["apart"]):
        return False
    return facts.as_of.elapsed(first.last, days=int(p["apart"]))


def _shown(facts: Facts) -> Determination | None:
    """The last positive that counts, else the trace."""
    return facts.cryoglobulin.latest_positive or standing_trace(facts.cryoglobulin)


def _found(facts: Facts) -> dict[str, Figure]:
    cryovas, c4 = facts.cryovas, facts.complement.c4
    sign = cryovas.sign
    return {
        "summary": Word("with-c4" if c4.state else "without-c4"),
        "level": Word(f"level-{cryovas.level}"),
        "sign": sign.concept if sign else None,
        "since": since_sign(sign),
        "c4": c4.result,
        "c4_dated": measured(c4.result),
        "c4_low": Word("low") if c4.state else None,
        "explains": named(facts.explained.diagnoses) or Word("none-known"),
        "suspicion": named(facts.signs.suspicion) or None,
        "general": _general(facts) or None,
        **_cryoglobulin(facts),
    }


def _cryoglobulin(facts: Facts) -> dict[str, Figure]:
    """In the summary a number, or a word: what a laboratory writes can be long."""
    cryoglobulin, shown = facts.cryoglobulin, _shown(facts)
    kind, later = cryoglobulin.kind, cryoglobulin.since_positive
    state = later_state(later)
    if shown is None:
        return {}
    is_trace, is_number = shown.state == "trace", shown.leading.value is not None
    # Of many the first and the last tell enough.
    dated = cryoglobulin.two() or (shown,)
    word = Word("trace" if is_trace else "positive")
    return {
        "cryo": shown.leading if is_number else word,
        "cryo_dated": determined(dated),
        "trace": word if is_trace and is_number else None,
        "kind": Word(f"type-{kind}") if kind else None,
        "n": len(cryoglobulin.counting) if cryoglobulin.two() else None,
        "later": measured(later.leading) if later else None,
        "later_state": Word(f"later-{state}") if state else None,
    }


def _beside(facts: Facts) -> dict[str, Figure]:
    complement, rna = facts.complement, facts.hcv.latest
    state = facts.de_vita.state
    complete = all(facts.cryovas.triad.values())
    low_c3 = complement.c3.state and complement.c4.state
    return {
        "rf": measured(complement.rf.result) or Word("none-known"),
        "c3": measured(complement.c3.result),
        "low_c3": Word("low-c3") if low_c3 else None,
        "rna": measured(rna.result) if rna else Word("none-known"),
        "triad": sum(value is True for value in facts.cryovas.triad.values()),
        "de_vita": Word(f"de-vita-{state}"),
        **{name: _yes_or_no(facts.de_vita.groups[name]) for name in _GROUPS},
        "marked": tuple(Word(f"item-{name}") for name in facts.de_vita.marked) or None,
        "differs": Word("differs") if complete != state.startswith("met") else None,
    }


def _wanted(facts: Facts, p: Parameters) -> dict[str, Figure]:
    wanted = {
        _C4: Word("want-c4"),
        _RF: Word("want-rf"),
        _TYPE: Word("want-type"),
    }
    missing = _missing(facts, p)
    first = facts.cryoglobulin.first_positive
    alone = first is not None and facts.cryoglobulin.two(p["apart"]) is None
    return {
        "wanted": tuple(wanted[c] for c in missing if c in wanted) or None,
        "which": Word("another" if facts.cryoglobulin.two() else "second"),
        "second_from": shifted(first.last, days=int(p["apart"])) if first and alone else None,
        "pending": Word("pending") if facts.cryoglobulin.pending else None,
    }


def _yes_or_no(met: Truth) -> Word:
    return Word("unknown") if met is None else Word("yes" if met else "no")


def _general(facts: Facts) -> tuple[str, ...]:
    """Fatigue and weakness are no signs of their own."""
    return tuple(c for c in _GENERAL if ongoing(facts.timeline.findings(c)))
