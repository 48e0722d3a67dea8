"""Plays the stories: once to their end and judged, or for ever at a reader's pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import date

import msgspec
from msgspec import Struct

from cryovigil.demo import verdict
from cryovigil.demo.patients import Story, rounds, stories
from cryovigil.demo.resources import Resource
from cryovigil.demo.stage import TOPIC, Stage
from cryovigil.demo.verdict import Difference
from cryovigil.errors import Unavailable

DEADLINE_S = 45.0
PATIENCE_S = 15.0
"""How long the EHR may hear nothing new before what is missing counts as not coming."""
QUIET_S = 2.0
"""How long nothing may come after the last expected card before the play counts as over."""
_POLL_S = 0.05
_PAUSE_S = 1.5
_ROUND_S = 20.0
_KEPT = 90
"""Patients that the page keeps listing: ten rounds of nine."""


class Outcome(Struct, frozen=True):
    """What came of one play. events: records produced."""

    events: int
    waiting_for: list[Difference]
    unexpected: list[Difference]

    @property
    def as_expected(self) -> bool:
        """Everything came, and nothing else."""
        return not self.waiting_for and not self.unexpected


async def play_once(stage: Stage, today: date, progress: Callable[[str], None]) -> Outcome:
    """Histories, then what follows each, then a look at what the EHR holds."""
    cast = stories(today)
    stage.cast.extend(cast)
    events = 0
    try:
        async with asyncio.timeout(DEADLINE_S), asyncio.timeout(PATIENCE_S) as patience:
            ear = _Ear(stage, patience)
            progress("Sending months of results")
            for story in cast:
                events += await _send(stage, story, story.history)
            progress("Waiting for cards; then corrections and new results")
            async for story in _as_told(ear, cast):
                events += await _send(stage, story, story.later)
            progress("Waiting for updates and retractions")
            while verdict.waiting_for(cast, stage.inbox):
                await ear.listen()
    except TimeoutError:
        pass  # what is missing is the outcome
    progress("Making sure that nothing else comes")
    await asyncio.sleep(QUIET_S)
    return Outcome(
        events,
        verdict.waiting_for(cast, stage.inbox),
        verdict.unexpected(cast, stage.inbox),
    )


async def play_on(stage: Stage, today: date, progress: Callable[[str], None]) -> None:
    """Round after round of new patients, slowly, until canceled."""
    for cast in rounds(today):
        for story in cast:
            stage.cast.append(story)
            del stage.cast[:-_KEPT]
            progress(f"{story.patient}: {story.title}")
            await _send(stage, story, story.history, _PAUSE_S)
        for story in cast:
            if story.later:
                progress(f"{story.patient}: {story.title}, continued")
                await _send(stage, story, story.later, _PAUSE_S)
        await asyncio.sleep(_ROUND_S)
        _check(stage)


class _Ear(Struct):
    """Listens for what the EHR receives, and has patience anew with everything that comes."""

    stage: Stage
    patience: asyncio.Timeout
    heard: int = 0

    async def listen(self) -> None:
        """Waits a moment. Raises Unavailable where the service has stopped."""
        _check(self.stage)
        heard = self.stage.inbox.counts.total()
        if heard > self.heard:
            self.heard = heard
            self.patience.reschedule(asyncio.get_running_loop().time() + PATIENCE_S)
        await asyncio.sleep(_POLL_S)


async def _as_told(ear: _Ear, cast: Sequence[Story]) -> AsyncIterator[Story]:
    """Each story as soon as the EHR has what its history brings, whichever comes first."""
    pending = list(cast)
    while pending:
        for story in [s for s in pending if verdict.history_told(s, ear.stage.inbox)]:
            pending.remove(story)
            yield story
        await ear.listen()


async def _send(
    stage: Stage, story: Story, resources: Sequence[Resource], pause_s: float = 0.0
) -> int:
    """Produces each resource, acknowledged, before the next one."""
    for resource in resources:
        _check(stage)
        value, key = msgspec.json.encode(resource), story.patient.encode()
        await stage.producer.send_and_wait(TOPIC, value, key=key)
        await asyncio.sleep(pause_s)
    return len(resources)


def _check(stage: Stage) -> None:
    if stage.service.returncode is not None:
        raise Unavailable(f"the service stopped with exit code {stage.service.returncode}")
