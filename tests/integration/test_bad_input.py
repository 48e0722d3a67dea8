"""What cannot be read is kept and named, quotes nothing, and holds nobody up."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.support.bad_input import MAX_DEPTH, bundle_with_a_bad_entry, nested, records, sized
from tests.support.broker import make_topics, send
from tests.support.commands import cryovigil
from tests.support.databases import query
from tests.support.ehr import Ehr, of_rule
from tests.support.fhir import CANARY, cryoglobulin
from tests.support.progress import until_consumed
from tests.support.service import Service, serve, settings

pytestmark = pytest.mark.broker

LIMIT = 20_000
INCOMPLETE = "Some of this patient's data could not be read"


async def test_each_bad_record_is_one_dead_letter_and_the_next_event_a_card(
    address: str, receiver: Ehr, url: str, tmp_path: Path
) -> None:
    topic = f"bad.{url.partition(':')[0]}"
    await make_topics(address, {topic: 1})
    given = settings(address, topic, url, receiver)
    given["CRYOVIGIL_KAFKA__MAX_RECORD_BYTES"] = str(LIMIT)
    bad = [records(f"p{n}", LIMIT)[n] for n in range(len(records("", LIMIT)))]
    # Each is followed by a good one of its patient; what is just within a limit is good too.
    values = [value for n, each in enumerate(bad) for value in (each.value, cryoglobulin(f"p{n}"))]
    values += [bundle_with_a_bad_entry("half"), nested("deep", MAX_DEPTH), sized("large", LIMIT)]
    patients = {*(f"p{n}" for n in range(len(bad))), "half", "deep", "large"}
    with serve(given, tmp_path / "service") as service:
        await service.ready()
        await send(address, topic, values, key=CANARY.encode())
        await until_consumed(service, {topic: len(values)})
        listed = await cryovigil("dlq", "list", "--format", "json", settings=given)
        assert listed.code == 0, listed.err
        letters: list[dict[str, Any]] = json.loads(listed.out)
        reasons = {row["offset"]: row["reason"] for row in letters}
        assert len(reasons) == len(letters)
        found = {each.name: reasons.pop(2 * n, None) for n, each in enumerate(bad)}
        assert found == {each.name: each.reason for each in bad}
        assert reasons == {2 * len(bad): "no-subject"}  # of the Bundle: its bad entry alone
        assert {(row["topic"], row["partition"]) for row in letters} == {(topic, 0)}
        assert all(
            row.keys() == {"topic", "partition", "offset", "reason", "at"} for row in letters
        )
        await check_counts(service, Counter(row["reason"] for row in letters))
        await service.until(lambda: len(of_rule(receiver, "hcv-search")) == len(patients))
        shown = (await service.get("/metrics")).text
        assert service.terminate() == 0
        assert CANARY not in listed.out + shown + json.dumps(service.log) + service.errors
    cards = {e["subject"]: e["data"]["cards"][0] for e in of_rule(receiver, "hcv-search")}
    assert cards.keys() == {f"Patient/{patient}" for patient in patients}
    # Whose data could not be read is known of some: their card says that it may be incomplete.
    incomplete = {subject for subject, card in cards.items() if INCOMPLETE in card["detail"]}
    assert incomplete == {f"Patient/p{n}" for n, each in enumerate(bad) if each.whose}
    # The record itself is kept byte for byte, for whoever repairs it.
    kept = await query(url, "SELECT value FROM dead_letter ORDER BY id")
    assert [value for (value,) in kept[:-1]] == [each.value for each in bad]


async def check_counts(service: Service, letters: Counter[str]) -> None:
    for reason, count in letters.items():
        line = f'cryovigil_dead_letters_total{{reason="{reason}"}}'
        assert await service.metric(line) == count
