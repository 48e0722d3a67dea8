"""A command of the product, run as its own process beside a service."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from typing import NamedTuple

WAIT_S = 30.0


class Ran(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


async def cryovigil(*arguments: str, settings: Mapping[str, str]) -> Ran:
    """Runs `cryovigil ARGUMENTS...` with these settings and no others, for at most WAIT_S."""
    bare = {n: v for n, v in os.environ.items() if not n.startswith("CRYOVIGIL_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cryovigil", *arguments),
        env={**bare, **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(WAIT_S):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Ran(process.returncode, out.decode(), err.decode())
