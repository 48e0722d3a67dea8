"""Whose patients a caller without a token may ask about."""

from __future__ import annotations

import pytest

from cryovigil.app import callers_sources
from cryovigil.decode import Source

OWN = Source()
LAB = Source(system="lab")
ELSEWHERE = Source(issuer="https://other.example")
TENANT = Source(tenant="b")


@pytest.mark.parametrize(
    ("of_topics", "keys"),
    [
        # A caller without a token belongs to the default source; whose patient it is
        # depends on issuer, tenant and id, and what belongs to one is invisible to another.
        ({}, [OWN.key]),
        ({"results": LAB}, [OWN.key, LAB.key]),
        ({"results": LAB, "people": LAB}, [LAB.key]),
        ({"results": ELSEWHERE}, [OWN.key]),
        ({"results": ELSEWHERE, "people": TENANT}, []),
    ],
)
def test_callers_belong_to_the_sources_that_topics_feed(
    of_topics: dict[str, Source], keys: list[str]
) -> None:
    found = callers_sources(("results", "people"), {"": OWN, **of_topics})
    assert found == tuple(sorted(keys))
