"""`python -m cryovigil`, and what the `cryovigil` command calls."""

from __future__ import annotations

import sys

from cryovigil.cli import app
from cryovigil.errors import CryoVigilError, SettingsInvalid

FAILED = 1
WRONG_USAGE = 2


def main() -> None:
    """Runs a command. An error of ours is one line on standard error, without a traceback."""
    try:
        app()
    except CryoVigilError as error:
        sys.stderr.write(f"cryovigil: {error}\n")
        sys.exit(WRONG_USAGE if isinstance(error, SettingsInvalid) else FAILED)


if __name__ == "__main__":
    main()
