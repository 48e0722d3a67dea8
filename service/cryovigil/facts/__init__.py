"""Step 5. What a patient's timeline means at an instant: named, typed facts.

Each fact is computed once, when first asked for, by the module of its name. A fact never turns
missing data into a no: truth is True, False or None, and None means that it cannot be told.
Numbers come from mappings/facts/<module>.yaml, each with its source.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from typing import TypeAlias

from cryovigil.facts import (
    complement as _complement,
    cryoglobulin as _cryoglobulin,
    cryovas as _cryovas,
    de_vita as _de_vita,
    explained as _explained,
    hcv as _hcv,
    kidney as _kidney,
    patient as _patient,
    results as _results,
    signs as _signs,
    svr as _svr,
    treatment as _treatment,
)
from cryovigil.facts.as_of import AsOf
from cryovigil.facts.coverage import Coverage
from cryovigil.timeline import Timeline

Parameters: TypeAlias = Mapping[str, float]

# Items of which a card shows the latest value, by the concepts that give it.
_SHOWN = (
    ("cryoglobulin presence", "cryoglobulin quantity", "cryocrit"),
    ("hcv rna", "hcv rna log", "hcv rna copies", "hcv rna presence"),
    ("creatinine",),
    ("urine protein creatinine ratio", "urine protein 24 h"),
    ("platelets",),
)


class Facts:
    """The facts of one patient at one instant.

    parameters, concepts: by module name, the numbers in force and the lists of concept names of
    mappings/facts/<module>.yaml.
    """

    def __init__(
        self,
        timeline: Timeline,
        as_of: AsOf,
        coverage: Coverage,
        parameters: Mapping[str, Parameters],
        concepts: Mapping[str, Mapping[str, tuple[str, ...]]],
    ) -> None:
        self.as_of = as_of
        self.coverage = coverage
        self.parameters = parameters
        self.concepts = concepts
        self.timeline = timeline.until(
            as_of, timedelta(minutes=parameters["results"]["future_tolerance"])
        )

    @cached_property
    def incomplete(self) -> tuple[str, ...]:
        """Why the record is known to be incomplete, sorted.

        A reason is also a later result that could not be read, of an item of which an older one is
        shown in its place.
        """
        unread = _complement.unread(self) or any(
            _results.unread([r for concept in item for r in self.timeline.results(concept)])
            for item in _SHOWN
        )
        reasons = {"unreadable-result"} if unread else set()
        return tuple(sorted({*self.timeline.incomplete, *reasons}))

    @cached_property
    def patient(self) -> _patient.Patient:
        """Age, death, pregnancy, and whether cards may be shown."""
        return _patient.patient(self)

    @cached_property
    def cryoglobulin(self) -> _cryoglobulin.Cryoglobulin:
        """Determinations, their state, type and significance."""
        return _cryoglobulin.cryoglobulin(self)

    @cached_property
    def complement(self) -> _complement.Complement:
        """C4, C3, rheumatoid factor and M component."""
        return _complement.complement(self)

    @cached_property
    def explained(self) -> _explained.Explained:
        """Competing diagnoses, and the items each explains."""
        return _explained.explained(self)

    @cached_property
    def hcv(self) -> _hcv.Hcv:
        """RNA samples, antibody, documented infection."""
        return _hcv.hcv(self)

    @cached_property
    def treatment(self) -> _treatment.Treatments:
        """Antiviral courses and the end of the last one."""
        return _treatment.treatment(self)

    @cached_property
    def svr(self) -> _svr.Svr:
        """Whether HCV is cured, and how that is known."""
        return _svr.svr(self)

    @cached_property
    def signs(self) -> _signs.Signs:
        """Vasculitis signs: present, active, severe."""
        return _signs.signs(self)

    @cached_property
    def kidney(self) -> _kidney.Kidney:
        """Creatinine, acute kidney injury, proteinuria, hematuria."""
        return _kidney.kidney(self)

    @cached_property
    def de_vita(self) -> _de_vita.DeVita:
        """The 2011 classification criteria, group by group."""
        return _de_vita.de_vita(self)

    @cached_property
    def cryovas(self) -> _cryovas.CryoVas:
        """The level of suspicion of cryoglobulinemic vasculitis."""
        return _cryovas.cryovas(self)
