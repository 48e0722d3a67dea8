"""Each test of this folder runs on both stores."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.support.open_stores import AnyStore, open_store


@pytest.fixture
async def store(url: str) -> AsyncIterator[AnyStore]:
    async with open_store(url) as opened:
        yield opened
