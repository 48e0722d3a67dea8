"""Competing diagnoses, and the items each of them explains.

* lupus, C1-inhibitor deficiency, cold agglutinin disease, liver failure: a low C4
* rheumatoid arthritis: a rheumatoid factor
* endocarditis, active or within 12 months: C4, rheumatoid factor, purpura, leukocytoclastic
  vasculitis and renal signs
* IgA or ANCA vasculitis: purpura, leukocytoclastic vasculitis and renal signs

An explained item fills neither "suggestive" nor the triad and raises no indicator; De Vita counts
it, marked, and the card names the diagnosis first. Only a diagnosis that is believed and ongoing
explains anything: a suspected one does not silence a suspicion of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct

from cryovigil.facts.findings import believed, over
from cryovigil.normalize.readings import Finding, When

if TYPE_CHECKING:
    from cryovigil.facts import Facts

Item: TypeAlias = Literal["c4", "rf", "purpura", "leukocytoclastic vasculitis", "renal"]
ITEMS: tuple[Item, ...] = ("c4", "rf", "purpura", "leukocytoclastic vasculitis", "renal")


class Explained(Struct, frozen=True):
    """by: every item, and the diagnoses that explain it, none where none does."""

    by: Mapping[Item, tuple[Finding, ...]]

    @property
    def diagnoses(self) -> tuple[Finding, ...]:
        """All of them, each once."""
        return tuple(dict.fromkeys(f for found in self.by.values() for f in found))


def explained(facts: Facts) -> Explained:
    """The diagnoses that hold at the as-of instant."""
    concepts = facts.concepts["explained"]
    return Explained({item: _holding(facts, concepts[item]) for item in ITEMS})


def _holding(facts: Facts, concepts: tuple[str, ...]) -> tuple[Finding, ...]:
    found = (f for concept in concepts for f in believed(facts.timeline.findings(concept)))
    return tuple(dict.fromkeys(f for f in found if _holds(facts, f)))


def _holds(facts: Facts, finding: Finding) -> bool:
    """Ongoing; endocarditis for 12 months after the last thing that is known of it."""
    if not over(finding):
        return True
    if finding.concept not in facts.concepts["explained"]["lingering"]:
        return False
    dates = [w for w in (finding.abated, finding.onset, finding.recorded) if isinstance(w, When)]
    months = int(facts.parameters["explained"]["lingering"])
    return any(facts.as_of.within(w.earliest, months=months) for w in dates)
