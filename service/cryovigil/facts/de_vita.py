"""De Vita 2011: preliminary classification criteria. A classification, no diagnosis, for adults.

* entry: cryoglobulin positive on two determinations at least 12 weeks apart
* questionnaire (2 of 3): Q1 purpura, of unnamed site too, or leukocytoclastic vasculitis; Q2 it
  left hyperpigmentation; Q3 viral hepatitis on the list, or any HCV RNA or antibody positive
* clinical (3 of 4): constitutional, articular, vascular, neurological; past or present
* laboratory (2 of 3): low C4, RF, M component; the latest

met: entry and two groups; met-provisionally: two groups and one determination, or two closer than
12 weeks; not-met: fewer than two groups, whatever is unknown; cannot-tell otherwise. The kidney is
no item. An item that a competing diagnosis explains counts, and is marked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct

from cryovigil.facts.findings import believed
from cryovigil.facts.truth import Truth, any_of

if TYPE_CHECKING:
    from cryovigil.facts import Facts

DeVitaState: TypeAlias = Literal["met", "met-provisionally", "not-met", "cannot-tell"]

_QUESTIONNAIRE = ("q1", "q2", "q3")
_CLINICAL = ("constitutional", "joints", "vascular", "nerves")
_LABORATORY = ("c4", "rf", "m-component")


class DeVita(Struct, frozen=True, kw_only=True):
    """groups: questionnaire, clinical, laboratory; items: what each rests on; marked: explained."""

    state: DeVitaState
    groups: Mapping[str, Truth]
    items: Mapping[str, Truth]
    marked: tuple[str, ...]


def de_vita(facts: Facts) -> DeVita:
    """The criteria at the as-of instant."""
    p = facts.parameters["de_vita"]
    items = _items(facts)
    groups = {
        "questionnaire": _at_least(p["questionnaire"], (items[i] for i in _QUESTIONNAIRE)),
        "clinical": _at_least(p["clinical"], (items[i] for i in _CLINICAL)),
        "laboratory": _at_least(p["laboratory"], (items[i] for i in _LABORATORY)),
    }
    marked = tuple(i for i in _explained(facts) if items[i])
    state = _state(facts, _at_least(p["groups"], groups.values()))
    return DeVita(state=state, groups=groups, items=items, marked=marked)


def _state(facts: Facts, two_groups: Truth) -> DeVitaState:
    if not facts.patient.adult or two_groups is None:
        return "cannot-tell"
    if not two_groups:
        return "not-met"
    if facts.cryoglobulin.two(facts.parameters["de_vita"]["apart"]):
        return "met"
    return "met-provisionally" if facts.cryoglobulin.positive else "cannot-tell"


def _items(facts: Facts) -> dict[str, Truth]:
    items = {name: _listed(facts, name) for name in (*_QUESTIONNAIRE, *_CLINICAL)}
    complement, hcv = facts.complement, facts.hcv
    tested = True if hcv.ever_detected else hcv.antibody
    return {
        **items,
        "q3": any_of(items["q3"], tested),
        "c4": complement.c4.state,
        "rf": complement.rf.state,
        "m-component": complement.m_component.state,
    }


def _listed(facts: Facts, item: str) -> Truth:
    """Past or present. Absence is a no only where Conditions are declared complete."""
    concepts = facts.concepts["de_vita"][item]
    if any(believed(facts.timeline.findings(concept)) for concept in concepts):
        return True
    return False if facts.coverage.spans("conditions") else None


def _explained(facts: Facts) -> tuple[str, ...]:
    """The items that something else explains, were they there."""
    by = facts.explained.by
    found = {"q1": by["purpura"], "vascular": by["purpura"], "c4": by["c4"], "rf": by["rf"]}
    return tuple(name for name, yes in found.items() if yes)


def _at_least(wanted: float, values: Iterable[Truth]) -> Truth:
    """Whether so many are true: no where even the unknown ones would not be enough."""
    known = list(values)
    if known.count(True) >= wanted:
        return True
    return False if known.count(True) + known.count(None) < wanted else None
