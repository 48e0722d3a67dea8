"""The nesting limit against a count of levels by recursion."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, strategies as st

from cryovigil.envelopes import MAX_DEPTH, check_depth
from cryovigil.errors import Unreadable

# Text that could pass for structure, were a quote or a backslash misread.
TEXT = st.text(alphabet='[]{}"\\a', max_size=6)
VALUES = st.recursive(
    TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=60,
)


def levels(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(levels, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(levels, value), default=0)
    return 0


def refused(text: bytes) -> bool:
    try:
        check_depth(text)
    except Unreadable:
        return True
    return False


@given(VALUES, VALUES, st.integers(MAX_DEPTH - 5, MAX_DEPTH + 1))
def test_what_nests_beyond_the_limit_is_refused_and_nothing_else(
    inner: Any, beside: Any, wraps: int
) -> None:
    for wrap in range(wraps):
        inner = [inner] if wrap % 2 else {"a": inner, "b": beside}
    assert refused(json.dumps(inner).encode()) == (levels(inner) > MAX_DEPTH)
