"""What producers wrap round a resource, and what is no envelope at all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cryovigil.envelopes import Entry, lines, unwrap
from cryovigil.errors import Unreadable

OBSERVATION = {"resourceType": "Observation", "id": "1", "status": "final"}


def opened(value: Any, key: bytes | None = None) -> list[Entry | Unreadable]:
    return list(unwrap(json.dumps(value).encode(), key))


def entries(value: Any) -> list[Entry]:
    return [e for e in opened(value) if isinstance(e, Entry)]


def reason_of(value: bytes) -> str:
    with pytest.raises(Unreadable) as caught:
        list(unwrap(value))
    return caught.value.reason


def nested(levels: int) -> bytes:
    """A resource whose member `x` makes it so many levels deep, the root being the first."""
    return b'{"resourceType":"Basic","x":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


def test_a_bare_resource_is_one_entry() -> None:
    (entry,) = entries(OBSERVATION)
    assert entry.body is not None
    assert json.loads(bytes(entry.body)) == OBSERVATION


@pytest.mark.parametrize("kind", ["batch", "transaction", "collection", "message", "searchset"])
def test_a_bundle_of_any_type_gives_its_resources(kind: str) -> None:
    bundle = {
        "resourceType": "Bundle",
        "type": kind,
        "entry": [{"resource": OBSERVATION}, {"resource": {**OBSERVATION, "id": "2"}}],
    }
    assert len(entries(bundle)) == 2


def test_a_delete_request_is_a_deletion_even_where_a_body_came_along() -> None:
    request = {"method": "DELETE", "url": "Observation/1/_history/4"}
    bundle = {
        "resourceType": "Bundle",
        "entry": [{"request": request}, {"request": request, "resource": OBSERVATION}],
    }
    assert [(e.deleted, e.body, e.target, e.version) for e in entries(bundle)] == [
        (True, None, "Observation/1", "4"),
        (True, None, "Observation/1", "4"),
    ]


def test_a_tombstone_deletes_what_its_key_names() -> None:
    (entry,) = unwrap(None, b"Observation/33224cbc59e9")
    assert isinstance(entry, Entry)
    assert (entry.deleted, entry.target) == (True, "Observation/33224cbc59e9")


@pytest.mark.parametrize("key", [None, b"", b"24318114", b"\xff\xfe"])
def test_a_tombstone_without_a_usable_key_says_nothing(key: bytes | None) -> None:
    assert list(unwrap(None, key)) == []


def test_a_bad_bundle_entry_comes_out_beside_the_good_ones() -> None:
    bundle = {"resourceType": "Bundle", "entry": [7, {"resource": OBSERVATION}, {}]}
    bad, good, empty = opened(bundle)
    assert isinstance(bad, Unreadable)
    assert isinstance(good, Entry)
    assert isinstance(empty, Unreadable)


def test_an_entry_that_only_points_to_a_resource_needs_a_read() -> None:
    (entry,) = opened({"resourceType": "Bundle", "entry": [{"fullUrl": "https://f/Observation/1"}]})
    assert isinstance(entry, Unreadable)
    assert entry.reason == "needs-read"


def test_a_urn_inside_a_bundle_is_known_by_the_resource_it_came_with() -> None:
    urn = "urn:uuid:2d5afc69-6ef2-420f-a8d1-8500c99eb96c"
    patient = {"resourceType": "Patient", "id": "7"}
    bundle = {"resourceType": "Bundle", "entry": [{"fullUrl": urn, "resource": patient}]}
    assert entries(bundle)[0].aliases == {urn: "Patient/7"}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b'{"resourceType": "Observation", ', "not-json"),
        (b'{"resourceType": "Observation", "valueInteger": NaN}', "not-json"),
        (b"", "not-json"),
        (b"MSH|^~\\&|LAB", "not-json"),
        (b"[]", "not-a-resource"),
        (b'"text"', "not-a-resource"),
        (b'{"id": "1"}', "not-a-resource"),
        (b'{"resourceType": 7}', "not-a-resource"),
    ],
)
def test_what_is_no_resource_is_unreadable_with_a_fixed_reason(value: bytes, reason: str) -> None:
    assert reason_of(value) == reason


def test_a_hundred_levels_are_read() -> None:
    assert len(list(unwrap(nested(100)))) == 1


def test_a_hundred_and_one_levels_are_too_deep() -> None:
    assert reason_of(nested(101)) == "too-deep"


def test_brackets_inside_strings_are_no_levels() -> None:
    (entry,) = opened({**OBSERVATION, "note": [{"text": '[{"' * 200}]})
    assert isinstance(entry, Entry)


def test_a_byte_order_mark_is_no_part_of_the_resource() -> None:
    assert len(list(unwrap(b"\xef\xbb\xbf" + json.dumps(OBSERVATION).encode()))) == 1


def test_lines_of_a_file_keep_their_numbers_and_empty_ones_are_passed_over() -> None:
    assert list(lines(b'{"a":1}\n\n{"a":2}\r\n')) == [(1, b'{"a":1}'), (3, b'{"a":2}')]
