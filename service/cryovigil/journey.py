"""THE STORY: readings -> facts -> answers -> cards -> changes. Pure: no I/O, no clock.

Intake, due rows, hooks and `evaluate` all come through here, so that the same resources give the
same cards whichever way they came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, tzinfo
from functools import partial
from typing import Any

from msgspec import Struct

from cryovigil import cards
from cryovigil.cards.basis import BASIS
from cryovigil.facts import Facts
from cryovigil.facts.as_of import AsOf
from cryovigil.facts.coverage import Coverage
from cryovigil.lifecycle import CardState, Change, Reason, change, mint, next_episode, withdraw
from cryovigil.normalize.readings import AnyReading
from cryovigil.rules import Answer, Fired
from cryovigil.rules.book import BookRule, Rulebook
from cryovigil.timeline import Timeline

_ANCHORS = ("cryo", "hcv rna")


class Journey(Struct, frozen=True):
    """What every answer depends on besides the patient.

    also: by concept, those it counts as too; secret: keys the card ids; public_url: where links
    lead; on_failure: told a rule's id and the class of the error where a rule raises.
    """

    book: Rulebook
    also: Mapping[str, tuple[str, ...]]
    coverage: Coverage
    zone: tzinfo
    secret: bytes
    public_url: str
    language: str = "en"
    on_failure: Callable[[str, str], None] | None = None

    def assess(
        self, readings: Iterable[AnyReading], as_of: datetime, incomplete: Iterable[str] = ()
    ) -> Assessed:
        """What the readings of one patient answer at an instant."""
        instant = AsOf(as_of, self.zone)
        facts = Facts(
            Timeline(readings, also=self.also, incomplete=incomplete),
            instant,
            self.coverage,
            self.book.parameters_on(instant.today),
            concepts=self.book.concepts,
        )
        ask = partial(self.book.ask, facts=facts, on_failure=self.on_failure)
        return Assessed(facts=facts, answers={rule.id: ask(rule) for rule in self.book.rules})

    def changes(
        self,
        assessed: Assessed,
        known: Iterable[CardState],
        patient: str,
        causes: Mapping[str, str],
    ) -> list[Change]:
        """What the answers change of a patient's cards.

        patient: `source|Patient/id`; causes: by reference, why an update of it may fell a card.
        """
        cards_by_rule = {state.rule: state for state in known}
        facts = assessed.facts
        silenced = facts.patient.silenced is not None
        found = []
        for rule in self.book.rules:
            before = cards_by_rule.pop(rule.id, None)
            if before is not None and before.judgement and before.judgement.until:
                facts.as_of.reached(before.judgement.until)
            answer = assessed.answers[rule.id]
            fresh = self._fresh(rule, answer, facts, before, patient)
            if silenced:
                found.append(withdraw(before) if before else None)
                continue
            reason = why(before, causes)
            found.append(change(before, answer, fresh, reason=reason, as_of=facts.as_of.instant))
        found += [withdraw(state) for state in cards_by_rule.values()]
        return [made for made in found if made is not None]

    def _fresh(
        self, rule: BookRule, answer: Answer, facts: Facts, before: CardState | None, patient: str
    ) -> CardState | None:
        """The card that a fired rule would open now."""
        if not isinstance(answer, Fired):
            return None
        episode = next_episode(before)
        same = before is not None and before.episode == episode
        uuid = before.uuid if same and before else mint(self.secret, patient, rule.id, episode)
        context = cards.CardContext(
            uuid=uuid,
            evidence_url=f"{self.public_url}/cards/{uuid}",
            as_of=facts.as_of.instant,
            incomplete=facts.incomplete,
            approved=False,
            pregnant=facts.patient.pregnant,
            age_known=facts.patient.age_known,
        )
        return CardState(
            rule=rule.id,
            uuid=uuid,
            episode=episode,
            revision=1,
            state="open",
            indicator=answer.indicator,
            criteria=answer.criteria,
            missing=answer.missing,
            anchors=tuple(
                sorted({e.reference for e in answer.evidence if e.concept.startswith(_ANCHORS)})
            ),
            card=cards.card(rule, answer, context, self.book.engine_digest, self.language),
        )


class Assessed(Struct, frozen=True):
    """The facts of a patient at an instant and the answer of every rule."""

    facts: Facts
    answers: Mapping[str, Answer]

    @property
    def changes_at(self) -> datetime | None:
        """When time alone makes one of the answers come out differently."""
        return self.facts.as_of.changes_at


def why(before: CardState | None, causes: Mapping[str, str]) -> Reason:
    """Why a card falls, if it does: what happened to its evidence, else that something came.

    Without any update only time has passed.
    """
    if not causes:
        return "outdated"
    basis: Mapping[str, Any] = before.card["extension"][BASIS] if before else {}
    own = {causes.get(e["reference"], "answered") for e in basis.get("evidence", ())}
    reasons: tuple[Reason, ...] = ("entered-in-error", "deleted", "corrected", "refuted")
    return next((reason for reason in reasons if reason in own), "answered")
