"""C4, C3, rheumatoid factor and M component: the latest result of each that can be read.

* C4 low: below the report's own range; else flagged L or LL; else, in adults, under 0.10 g/L.
  Where the report gives a range that cannot be used, no limit of ours stands in for it.
* C3 low: own range or flag only. Molar C4 likewise.
* RF positive: above its own range or flagged; else above 20 IU/mL. A titer is presence: own range
  or flag only.
* M component: a monoclonal protein, a positive electrophoresis or immunofixation, or a
  cryoglobulin of type I or II.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from msgspec import Struct

from cryovigil.facts import results
from cryovigil.facts.results import (
    FOUND,
    NEGATIVE,
    NO_VALUE,
    NOT_FOUND,
    POSITIVE,
    abnormal_low,
    above,
    below,
    latest,
    positive,
)
from cryovigil.facts.truth import Truth, any_of
from cryovigil.normalize.readings import Result

if TYPE_CHECKING:
    from cryovigil.facts import Facts

_C4 = ("complement c4", "complement c4 molar", "complement c4 axis unknown")
_C3 = ("complement c3",)
_RF = (
    "rheumatoid factor",
    "rheumatoid factor igm",
    "rheumatoid factor presence",
    "rheumatoid factor titer",
)
_RF_IN_UNITS = ("rheumatoid factor", "rheumatoid factor igm")
_M_COMPONENT = (
    "m protein",
    "m protein presence",
    "immunofixation",
    "serum protein electrophoresis",
)
_MONOCLONAL_TYPES = ("I", "II")


class Item(Struct, frozen=True):
    """One laboratory item. state: low or positive; old: measured more than 12 months ago."""

    state: Truth = None
    result: Result | None = None
    old: bool | None = None


class Complement(Struct, frozen=True):
    """c4, c3: low; rf: positive; m_component: present."""

    c4: Item
    c3: Item
    rf: Item
    m_component: Item


def complement(facts: Facts) -> Complement:
    """The four items at the as-of instant."""
    return Complement(
        c4=_latest_item(facts, _C4, lambda r: _c4_low(facts, r)),
        c3=_latest_item(facts, _C3, abnormal_low),
        rf=_latest_item(facts, _RF, lambda r: _rf_positive(facts, r)),
        m_component=_m_component(facts),
    )


def _c4_low(facts: Facts, result: Result) -> Truth:
    low = abnormal_low(result)
    if low is not None:
        return low
    if result.concept != "complement c4" or result.range_unread or not facts.patient.adult:
        return None
    return below(result, facts.parameters["complement"]["c4_low"])


def _rf_positive(facts: Facts, result: Result) -> Truth:
    said = positive(result)
    if said is not None or result.concept not in _RF_IN_UNITS or result.word in NO_VALUE:
        return said
    if result.range_unread:
        return None
    return above(result, facts.parameters["complement"]["rf_positive"])


def _m_component(facts: Facts) -> Item:
    """Any latest test of its kind that shows one, or the type; absent only where all agree."""
    found = _latest_of(facts, _M_COMPONENT)
    shown = [r for r in found if _monoclonal(r)]
    if shown:
        return _item(facts, True, latest(shown))
    cryoglobulin = facts.cryoglobulin
    if cryoglobulin.kind in _MONOCLONAL_TYPES:
        return _item(facts, True, latest(cryoglobulin.kind_results))
    if not found:
        return Item()
    return _item(facts, any_of(*map(_monoclonal, found)), latest(found))


def _monoclonal(result: Result) -> Truth:
    """An amount of M protein above 0; else what the text or its code says, "normal" included."""
    if result.word in NO_VALUE or result.problem is not None:
        return None
    if result.concept == "m protein" and result.value is not None:
        return above(result, 0)
    if result.word in FOUND or result.flag in POSITIVE:
        return True
    absent = result.word in NOT_FOUND or result.word == "normal" or result.flag in NEGATIVE
    return False if absent else None


def unread(facts: Facts) -> bool:
    """Whether of one of the items a later result could not be read, and an older one is shown."""
    every = (*_C4, *_C3, *_RF, *_M_COMPONENT)
    return any(results.unread(facts.timeline.results(concept)) for concept in every)


def _latest_item(facts: Facts, concepts: Iterable[str], state: Callable[[Result], Truth]) -> Item:
    """The latest result among the concepts; of several at that moment, one that can be read.

    Of one concept a failed specimen hides nothing that another concept still shows.
    """
    found = _latest_of(facts, concepts)
    found = [r for r in found if r.readable] or found
    newest = max((r.at for r in found), default=0)
    readable = [(state(r), r) for r in found if r.at == newest]
    for value, result in readable:
        if value is not None:
            return _item(facts, value, result)
    return _item(facts, None, readable[0][1]) if readable else Item()


def _latest_of(facts: Facts, concepts: Iterable[str]) -> list[Result]:
    found = (latest(facts.timeline.results(concept)) for concept in concepts)
    return [result for result in found if result is not None]


def _item(facts: Facts, state: Truth, result: Result | None) -> Item:
    months = int(facts.parameters["complement"]["old"])
    when = result.when if result else None
    old = None if when is None else not facts.as_of.within(when.latest, months=months)
    return Item(state, result, old)
