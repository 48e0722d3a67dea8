"""`cryovigil serve`, with a clock that a test sets: the instant stands in a file.

Usage: python serve_with_clock.py FILE, where FILE holds an ISO instant with its zone.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from pathlib import Path

from cryovigil import logs, settings
from cryovigil.app import World, build


class FileClock:
    """Says what the file says, each time anew."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def now(self) -> datetime:
        return datetime.fromisoformat(self._file.read_text().strip())


if __name__ == "__main__":
    given = settings.load()
    logs.configure(given.log.level)
    sys.exit(asyncio.run(build(given, World(clock=FileClock(Path(sys.argv[1])))).run()))
