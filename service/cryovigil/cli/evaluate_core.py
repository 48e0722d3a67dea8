"""The journey as `cryovigil evaluate` asks it: the service's own, on files, with nothing kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from cryovigil import settings as all_settings, site_files
from cryovigil.api.advice import place
from cryovigil.decode import Source
from cryovigil.errors import Unreadable
from cryovigil.facts import Facts
from cryovigil.facts.coverage import Coverage
from cryovigil.journey import Journey
from cryovigil.normalize import Site
from cryovigil.normalize.readings import AnyReading, Update
from cryovigil.rules import Answer, post_svr_lymphoma_search
from cryovigil.rules.book import Rulebook, load_rulebook
from cryovigil.settings.checks import base_url
from cryovigil.updates import Reader

_UNKEYED = b"cryovigil evaluate"
"""Keys card ids where the site has not set CRYOVIGIL_SECRET: equal input gives equal ids."""


class Assessed(Struct, frozen=True, kw_only=True):
    """What the journey says of one patient.

    assessment: the members of the contract's `assessment`; answers: by rule id; cards: CDS Hooks
    cards; changes_at: when time alone will change an answer; incomplete: why the record is known
    to be.
    """

    assessment: dict[str, Any]
    answers: dict[str, Answer]
    cards: Sequence[Any]
    changes_at: datetime | None
    incomplete: tuple[str, ...]


class JourneyCore:
    """Reader and journey of one run. failures: rules that raised, each with the error's class."""

    def __init__(self, reader: Reader, journey: Journey, source: Source) -> None:
        self.failures: set[tuple[str, str]] = set()
        self._reader = reader
        self._journey = replace(
            journey, on_failure=lambda rule, error: self.failures.add((rule, error))
        )
        self._source = source

    @property
    def digest(self) -> str:
        """`sha256:` and the rulebook's digest."""
        return self._journey.book.digest

    def read(self, value: bytes, feed: str, offset: int) -> Iterator[Update | Unreadable]:
        """The resource versions of one record, and what of it could not be read."""
        for read in self._reader.read(value, None, self._source, feed, offset):
            if read is not None:
                yield read

    def assess(
        self,
        patient: str,
        readings: Sequence[AnyReading],
        incomplete: frozenset[str],
        as_of: datetime,
    ) -> Assessed:
        """One patient at one instant, as a store that holds these readings would answer."""
        assessed = self._journey.assess(readings, as_of, incomplete)
        identity = f"{self._source.key}|{patient}"
        changes = self._journey.changes(assessed, (), identity, {})
        return Assessed(
            assessment=assessment(assessed.facts, self._journey.book),
            answers=dict(assessed.answers),
            cards=sorted((change.after.card for change in changes), key=place),
            changes_at=assessed.changes_at,
            incomplete=assessed.facts.incomplete,
        )


def load_core(coverage: Coverage) -> JourneyCore:
    """The core with the settings of the environment, as the service on this machine has them.

    Raises SettingsInvalid or RulebookInvalid.
    """
    settings = all_settings.load()
    root = files("cryovigil") / "mappings"
    tables = site_files.tables(settings, root)
    zone = ZoneInfo(settings.site.time_zone)
    site = Site(zone, site_files.opt_out_tags(settings))
    secret = settings.secret.get_secret_value().encode() if settings.secret else _UNKEYED
    local = base_url(settings.http.host, settings.http.port)
    journey = Journey(
        book=load_rulebook(root, disabled=frozenset(settings.rules.disabled)),
        also=tables.also,
        coverage=coverage,
        zone=zone,
        secret=secret,
        public_url=settings.public_url or local,
        language=settings.site.language,
    )
    return JourneyCore(Reader(tables, site, listing=True), journey, Source())


def assessment(facts: Facts, book: Rulebook) -> dict[str, Any]:
    """The named levels of the report; what was not found is left out."""
    end = facts.treatment.end
    found: dict[str, Any] = {"cryovas": facts.cryovas.level, "deVita": facts.de_vita.state}
    if end is not None:
        found["endOfTreatment"] = {"date": end.date, "basis": end.basis}
    found["svr"] = facts.svr.state
    for rule in book.rules:
        if rule.id == post_svr_lymphoma_search.ID:
            parameters = rule.parameters_on(facts.as_of.today)
            found["postSvrLymphoma"] = post_svr_lymphoma_search.assess(facts, parameters)
    return found
