"""`cryovigil demo --once` as a user runs it: real broker, real service, real pushes."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from pathlib import Path
from time import monotonic

import pytest

pytestmark = [pytest.mark.broker, pytest.mark.sqlite]
LIMIT_S = 60.0


async def demo(*options: str, **environment: str) -> asyncio.subprocess.Process:
    clean = {name: v for name, v in os.environ.items() if not name.startswith("CRYOVIGIL_")}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cryovigil", "demo", "--port", "0", *options),
        env=clean | environment | {"COLUMNS": "120"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_the_demo_plays_to_its_end_and_every_expected_card_arrives(
    tmp_path: Path,
) -> None:
    start = monotonic()
    # What is exported for a real service must not lead the demo there.
    real = {"CRYOVIGIL_DATABASE_URL": f"sqlite:///{tmp_path / 'real.db'}"}
    elsewhere = {"CRYOVIGIL_EHR__SINK": "file", "CRYOVIGIL_EHR__URL": str(tmp_path / "cards")}
    process = await demo("--once", **real, **elsewhere)
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert monotonic() - start < LIMIT_S
    assert files_in(tmp_path) == []
    # Eight cards beside the stories, two of them retracted, one updated (or more than once).
    counts = dict(re.findall(r"cards (\w+)\s*│\s*(\d+)", output.decode()))
    assert int(counts["delivered"]) >= 8
    assert int(counts["retracted"]) >= 2
    assert int(counts["updated"]) >= 1


async def test_the_demo_fails_when_a_rule_is_switched_off() -> None:
    process = await demo("--once", CRYOVIGIL_RULES__DISABLED="hcv-search")
    output, _ = await process.communicate()
    assert process.returncode == 1, output.decode()
    missing = [line for line in output.decode().splitlines() if "nothing" in line]
    assert missing
    assert all("hcv-search" in line for line in missing)


async def test_the_endless_demo_prints_its_page_and_ends_cleanly_on_an_interrupt() -> None:
    process = await demo()
    assert process.stdout is not None
    async with asyncio.timeout(LIMIT_S):
        line = b""
        while b"http://127.0.0.1:" not in line:
            line = await process.stdout.readline()
            assert line, "the demo ended by itself"
        process.send_signal(signal.SIGINT)
        rest, _ = await process.communicate()
    assert process.returncode == 0, rest.decode()
    assert b"Traceback" not in rest
