"""One broker for the tests of this folder, and an EHR for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.broker import broker
from tests.support.ehr import Ehr, ehr


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    with broker() as running:
        yield running


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Ehr]:
    with ehr(tmp_path) as running:
        yield running
