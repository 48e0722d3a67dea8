"""How hypothesis works here: the same examples every time under CI, new ones elsewhere."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

CI = os.environ.get("CI") == "true"

settings.register_profile(
    "cryovigil",
    deadline=None,  # a machine that is busy proves nothing wrong
    derandomize=CI,
    # A smaller example is worth minutes to whoever looks for a bug, and none to who waits for CI.
    phases=[phase for phase in Phase if not (CI and phase in (Phase.shrink, Phase.explain))],
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("cryovigil")
