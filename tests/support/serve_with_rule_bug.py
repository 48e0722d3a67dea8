"""`cryovigil serve` with a bug in one rule: it raises, and its message quotes what it was given.

Usage: python serve_with_rule_bug.py RULE_MODULE MESSAGE
"""

from __future__ import annotations

import asyncio
import sys
from importlib import import_module
from typing import NoReturn

from cryovigil import logs, settings
from cryovigil.app import build


def _bug(*_: object) -> NoReturn:
    raise KeyError(sys.argv[2])


if __name__ == "__main__":
    import_module(f"cryovigil.rules.{sys.argv[1]}").answer = _bug  # type: ignore[attr-defined]
    given = settings.load()
    logs.configure(given.log.level)
    sys.exit(asyncio.run(build(given).run()))
