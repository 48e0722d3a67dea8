"""Whatever ends a command, standard error gets one line, and nothing of what was given."""

from __future__ import annotations

from typing import NoReturn

import pytest

from cryovigil import __main__, cli
from cryovigil.errors import SettingsInvalid, Unavailable


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (SettingsInvalid("CRYOVIGIL_X: no"), 2, "cryovigil: CRYOVIGIL_X: no"),
        (Unavailable("database: away"), 1, "cryovigil: database: away"),
        (ValueError("canary7"), 1, "cryovigil: ValueError at "),
    ],
)
def test_an_error_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    code: int,
    said: str,
) -> None:
    def failing() -> NoReturn:
        raise error

    monkeypatch.setattr(cli, "app", failing)
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == code
    assert line.startswith(said)
    assert "canary7" not in line
