"""Vasculitis signs of a patient: present, active, suggestive.

* present: not resolved or abated; an encounter diagnosis for 24 months only
* active: present, with an onset (else a record) within 30 days; after a cure also with an onset
  after the first sample that proves it. Articular or cold signs alone never are; neuropathy alone
  is not where it is older than that sample, or with diabetes on the list
* suggestive: palpable purpura in an adult; or two groups of signs, one of them cutaneous, renal or
  neurological (neuropathy not with diabetes); or one sign other than articular or cold, after a
  cure an active one, and low C4, RF, any trace of HCV, or Sjogren syndrome; or Sjogren and low C4
* strongly suggestive: low C4 within 6 months, and active palpable purpura or glomerulonephritis,
  whatever the cryoglobulin says

What a competing diagnosis explains is left out of all of them but "present".
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

from msgspec import Struct

from cryovigil.facts.findings import ongoing, suspected
from cryovigil.facts.sign_groups import GROUPS, Group, Sign, groups_of
from cryovigil.facts.truth import Truth, all_of, any_of, negation
from cryovigil.normalize.readings import Finding

if TYPE_CHECKING:
    from cryovigil.facts import Facts

__all__ = ["Sign", "Signs", "signs", "younger_than_rna"]

_MAJOR: frozenset[Group] = frozenset({"cutaneous", "renal", "neurological"})
_NEPHRITIS = "glomerulonephritis"


class Signs(Struct, frozen=True, kw_only=True):
    """all: past ones too, leading ones first; suspicion: unconfirmed, shown, they fill nothing.

    diabetes: on the list, so that neuropathy alone says little.
    """

    all: tuple[Sign, ...]
    suspicion: tuple[Finding, ...]
    diabetes: bool
    suggestive: Truth
    strongly_suggestive: Truth

    @property
    def present(self) -> tuple[Sign, ...]:
        """Those that are there now, explained ones included."""
        return tuple(s for s in self.all if s.present)

    @property
    def triad(self) -> tuple[Sign, ...]:
        """Those that fill the triad: present, unexplained, not articular or cold."""
        return _filling(self.all)

    def active_since(self, sample: date) -> tuple[Sign, ...]:
        """Active after a cure whose first proving sample is of that day; each finding once."""
        return _active_since(self.all, sample, diabetes=self.diabetes)


def signs(facts: Facts) -> Signs:
    """The signs at the as-of instant."""
    found = groups_of(facts)
    lists = facts.concepts["signs"]
    diabetes = any(ongoing(facts.timeline.findings(c)) for c in lists["neuropathy not with"])
    listed = dict.fromkeys(c for group in GROUPS for c in lists[group])
    doubtful = (f for c in listed for f in suspected(facts.timeline.findings(c)))
    return Signs(
        all=found,
        suspicion=tuple(dict.fromkeys(doubtful)),
        diabetes=diabetes,
        suggestive=_suggestive(facts, found, diabetes=diabetes),
        strongly_suggestive=_strongly_suggestive(facts, found),
    )


def younger_than_rna(facts: Facts, found: Iterable[Sign]) -> bool:
    """Whether some of these signs began after every RNA sample: HCV may be back."""
    sampled = [s.day.earliest for s in facts.hcv.samples if s.state != "unknown"]
    newest = max(sampled, default=date.min)
    return any(sign.onset is None or sign.onset > newest for sign in found)


def _filling(found: Iterable[Sign]) -> tuple[Sign, ...]:
    return tuple(s for s in found if s.present and not s.minor and not s.explained_by)


def _active_since(found: Iterable[Sign], sample: date, *, diabetes: bool) -> tuple[Sign, ...]:
    active = [
        s
        for s in found
        if s.present and not s.explained_by and (s.active or (s.onset and s.onset > sample))
    ]
    telling = [s for s in active if not s.minor and not _residual(s, sample, diabetes=diabetes)]
    if not telling:
        return ()
    # A finding of two groups is one sign to a reader; what tells most comes first.
    once: dict[tuple[str, ...], Sign] = {}
    for sign in (*telling, *active):
        once.setdefault(tuple(r.reference for r in sign.readings), sign)
    return tuple(once.values())


def _residual(sign: Sign, sample: date, *, diabetes: bool) -> bool:
    """Neuropathy that was there before the cure, or that diabetes accounts for."""
    if sign.group != "neurological":
        return False
    return diabetes or (sign.when is not None and sign.when.latest <= sample)


def _suggestive(facts: Facts, found: tuple[Sign, ...], *, diabetes: bool) -> Truth:
    shown = [s for s in found if s.present and not s.explained_by]
    low_c4 = _low_c4(facts)
    sjogren = bool(ongoing(facts.timeline.findings("sjogren syndrome")))
    cure = facts.svr.cure
    one = _filling(found)
    if cure is not None:
        one = _active_since(found, cure.first_sample.day.latest, diabetes=diabetes)
    return any_of(
        facts.patient.adult and any(s.palpable for s in shown),
        _two_groups(shown, diabetes=diabetes),
        all_of(bool(one), any_of(low_c4, _rf(facts), _hcv(facts), sjogren)),
        all_of(sjogren, low_c4),
    )


def _two_groups(shown: list[Sign], *, diabetes: bool) -> bool:
    """A finding that is severe beside its own group is of one group only."""
    telling = [s for s in shown if not (diabetes and s.group == "neurological")]
    own = {r.reference for s in telling if s.group != "severe" for r in s.readings}
    groups = {
        s.group
        for s in telling
        if s.group != "severe" or not any(r.reference in own for r in s.readings)
    }
    return len(groups) > 1 and bool(groups & _MAJOR)


def _strongly_suggestive(facts: Facts, found: tuple[Sign, ...]) -> Truth:
    nephritis = {f.reference for f in facts.timeline.findings(_NEPHRITIS)}
    sign = any(
        s.active
        and not s.explained_by
        and (s.palpable or any(r.reference in nephritis for r in s.readings))
        for s in found
    )
    if not sign or facts.explained.by["c4"]:
        return False
    c4 = facts.complement.c4.result
    months = int(facts.parameters["signs"]["c4_recent"])
    if c4 is None or c4.when is None or not facts.as_of.within(c4.when.latest, months=months):
        return None
    return facts.complement.c4.state


def _low_c4(facts: Facts) -> Truth:
    unexplained = negation(bool(facts.explained.by["c4"]))
    return all_of(facts.complement.c4.state, unexplained)


def _rf(facts: Facts) -> Truth:
    return all_of(facts.complement.rf.state, negation(bool(facts.explained.by["rf"])))


def _hcv(facts: Facts) -> Truth:
    """RNA, antibody or a condition ever; unknown where nobody looked."""
    hcv = facts.hcv
    if hcv.documented or hcv.antibody:
        return True
    return False if hcv.latest is not None and hcv.antibody is False else None
