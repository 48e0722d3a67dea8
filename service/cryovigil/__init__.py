"""CryoVigil watches laboratory results for cryoglobulinemic vasculitis.

Kafka in, CDS Hooks cards out. The way of one event, in the order in which the modules are listed:
envelopes, decode, normalize, timeline, facts, rules, cards, lifecycle, outbox.
"""

from __future__ import annotations

__version__ = "0.1.0"
