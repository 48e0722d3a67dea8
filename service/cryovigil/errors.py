"""Every error this service raises, by what the caller should do about it.

* CryoVigilError
  x Unreadable       the event will never make sense: keep it as a dead letter, carry on
  x Unavailable      a neighbor is down: put the work back, try again
  x RulebookInvalid  a rule file or a mapping is wrong: do not start
  x SettingsInvalid  a setting is unknown or contradictory: do not start
  x CannotAnswer     a hook lacks data it needs: say so (HTTP 412), never guess

Messages name codes, files, fields and offsets. They never carry patient data.
"""

from __future__ import annotations


class CryoVigilError(Exception):
    """Base class of the errors above."""


class Unreadable(CryoVigilError):
    """An event that no retry will make readable.

    `reason` is a fixed kebab-case code such as `not-json`; it quotes nothing of the event.
    `patient` is the event's patient reference where it could be read: their data are incomplete.
    `resource` is its own `Type/id` where that could be read: of a known one the patient is known.
    """

    def __init__(
        self, reason: str, patient: str | None = None, resource: str | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.patient = patient
        self.resource = resource


class Unavailable(CryoVigilError):
    """A database, a broker or an EHR that may be back in a moment."""


class RulebookInvalid(CryoVigilError):
    """A rule file or a mapping that does not hold together. One line: file, field, what to mend."""


class SettingsInvalid(CryoVigilError):
    """A setting that is unknown, contradictory or not there yet. One line that names it."""


class CannotAnswer(CryoVigilError):
    """A hook request that needs data which are out of reach (CDS Hooks 2.0, HTTP 412)."""
