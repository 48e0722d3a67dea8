"""Hepatitis C: RNA samples, antibody, and the infection on the problem list.

* "Ever detected" includes detected below the limit of quantification.
* A positive antibody is for life and never viremia; a negative one alone closes no search.
* A carrier state or past infection documents one only beside an antiviral (facts.treatment).
* An asserted sustained response is shown and asked to be confirmed; alone it proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec import Struct

from cryovigil.facts.findings import believed
from cryovigil.facts.hcv_sample import Sample, samples_of
from cryovigil.facts.results import latest, positive, under_way
from cryovigil.facts.truth import Truth
from cryovigil.normalize.readings import Finding, Result

if TYPE_CHECKING:
    from cryovigil.facts import Facts

_RNA = ("hcv rna", "hcv rna log", "hcv rna copies", "hcv rna presence", "hcv rna axis unknown")
_ANTIBODY = "hcv antibody"


class Hcv(Struct, frozen=True, kw_only=True):
    """samples: oldest first; antibody: ever positive, else what the latest readable one says.

    conditions: HCV infection on the list, of any clinical status; pending_rna, pending_antibody:
    preliminary results, a test under way.
    """

    samples: tuple[Sample, ...]
    antibody: Truth
    antibody_result: Result | None
    conditions: tuple[Finding, ...]
    history: tuple[Finding, ...]
    asserted_svr: tuple[Finding, ...]
    pending_rna: tuple[Result, ...]
    pending_antibody: tuple[Result, ...]

    @property
    def latest(self) -> Sample | None:
        """The latest sample that says anything."""
        return next((s for s in reversed(self.samples) if s.state != "unknown"), None)

    @property
    def ever_detected(self) -> bool:
        """RNA ever detected, below the limit of quantification included."""
        return any(s.found for s in self.samples)

    @property
    def documented(self) -> bool:
        """RNA ever detected, or an HCV condition. A mere history needs `Treatments.documented`."""
        return self.ever_detected or bool(self.conditions)


def hcv(facts: Facts) -> Hcv:
    """Everything about hepatitis C but its treatment and cure."""
    timeline = facts.timeline
    antibodies = timeline.results(_ANTIBODY)
    rna = tuple(r for concept in _RNA for r in timeline.results(concept))
    antibody, shown = _antibody(antibodies)
    return Hcv(
        samples=samples_of(rna, facts.parameters["hcv"]["assay_limit"]),
        antibody=antibody,
        antibody_result=shown,
        conditions=believed(timeline.findings("hcv infection")),
        history=believed(timeline.findings("hcv carrier or history")),
        asserted_svr=believed(timeline.findings("hcv sustained response asserted")),
        pending_rna=under_way(rna, facts),
        pending_antibody=under_way(antibodies, facts),
    )


def _antibody(results: Iterable[Result]) -> tuple[Truth, Result | None]:
    read = [(positive(r), r) for r in results if r.counts]
    for state in (True, False):
        shown = latest(r for said, r in read if said is state)
        if shown is not None:
            return state, shown
    return None, latest(r for _, r in read)
