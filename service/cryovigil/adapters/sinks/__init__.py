"""Where an event can be delivered, one module a kind."""

from __future__ import annotations
