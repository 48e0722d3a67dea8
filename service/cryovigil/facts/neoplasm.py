"""B-cell neoplasms on the problem list: lymphoma, CLL, Waldenstrom, myeloma. MGUS is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryovigil.facts.findings import believed, ongoing, over

if TYPE_CHECKING:
    from cryovigil.facts import Facts
    from cryovigil.normalize.readings import Finding

_NEOPLASM = "b-cell neoplasm"


def active_neoplasm(facts: Facts) -> tuple[Finding, ...]:
    """Those believed that are not over."""
    return ongoing(facts.timeline.findings(_NEOPLASM))


def past_neoplasm(facts: Facts) -> tuple[Finding, ...]:
    """In remission, resolved or by history."""
    listed = believed(facts.timeline.findings(_NEOPLASM))
    history = believed(facts.timeline.findings("history of b-cell neoplasm"))
    return (*(f for f in listed if over(f)), *history)
