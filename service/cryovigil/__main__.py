"""`python -m cryovigil`, and what the `cryovigil` command calls."""

from __future__ import annotations

import os
import signal
import sys

from cryovigil.errors import CryoVigilError, SettingsInvalid

FAILED = 1
WRONG_USAGE = 2


def main() -> None:
    """Runs a command. An error is one line on standard error, without a traceback."""
    if sys.argv[1:2] == ["serve"]:
        signal.signal(signal.SIGTERM, _end_before_the_start)
    # Imported late: it takes a second, in which a signal may come.
    from cryovigil.cli import app  # noqa: PLC0415 (see above)
    from cryovigil.logs import place_of  # noqa: PLC0415 (see above)

    try:
        app()
    except CryoVigilError as error:
        sys.stderr.write(f"cryovigil: {error}\n")
        sys.exit(WRONG_USAGE if isinstance(error, SettingsInvalid) else FAILED)
    except Exception as error:  # noqa: BLE001 (the edge: a message may quote a secret or a record)
        place = place_of(error.__traceback__)
        sys.stderr.write(f"cryovigil: {type(error).__name__} at {place}, which is a bug\n")
        sys.exit(FAILED)


def _end_before_the_start(*_: object) -> None:
    """Asked to stop while nothing is open: before anything is, the supervisor takes over."""
    os._exit(0)


if __name__ == "__main__":
    main()
