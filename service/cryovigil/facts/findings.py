"""How any Condition is read: whether it may be believed, whether it is over, and its dates.

A Condition without a status counts; a status that denies it, or an abatement, does not.
"""

from __future__ import annotations

from collections.abc import Iterable

from cryovigil.normalize.readings import Finding, When

_DENIED = frozenset({"refuted", "entered-in-error"})
_OVER = frozenset({"inactive", "remission", "resolved"})


def believed(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those confirmed, or without a verification status; the rest is suspicion or denial."""
    return tuple(f for f in findings if f.verification in (None, "confirmed"))


def suspected(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Unconfirmed, provisional and differential ones: shown, they fill nothing."""
    return tuple(f for f in findings if f.verification not in _DENIED | {None, "confirmed"})


def ongoing(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those believed and neither over nor abated."""
    return tuple(f for f in believed(findings) if not over(f))


def over(finding: Finding) -> bool:
    """Inactive, in remission, resolved or abated."""
    return finding.clinical in _OVER or finding.abated is not False


def since(finding: Finding) -> When | None:
    """Onset, else the day it was recorded."""
    return finding.onset or finding.recorded
