"""Step 8, its last part. A card's change as the frozen bytes that the EHR will receive.

CloudEvents 1.0, structured mode. The bytes are made once, stored in the transaction that made the
change, and sent as they are however often they must be sent.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from cryovigil.lifecycle import Change

Kind: TypeAlias = Literal["created", "updated", "retracted"]


class Superseded(Struct, frozen=True):
    """What became of a card's earlier events: were any never attempted, and were any attempted.

    created: the event that announced the opening was among those that will never be sent;
    attempted: at least one event of this episode has perhaps arrived.
    """

    created: bool
    attempted: bool


def kind_of(change: Change, earlier: Superseded) -> Kind | None:
    """How the change is announced; None where the EHR never heard of the card.

    A superseded `created` makes its successor a `created`; what was attempted has perhaps arrived,
    so that its successor is an update.
    """
    if change.kind == "retract":
        return "retracted" if earlier.attempted else None
    if change.kind == "open" or not earlier.attempted:
        return "created"
    return "updated"


def delivery_id(change: Change) -> str:
    """Names this revision of this card, for the EHR to tell a repeat by."""
    return f"{change.after.uuid}.{change.after.revision}"


def cloud_event(
    change: Change, kind: Kind, *, source: str, subject: str, sequence: int, time: datetime
) -> bytes:
    """The event's bytes. subject: `Patient/id`; sequence grows strictly per patient."""
    data: dict[str, Any] = {"cards": [change.after.card]}
    if kind == "retracted":
        gone = {"uuid": change.after.uuid, "reason": change.reason}
        data = {"cards": [], "extension": {"org.cryovigil.retracted": gone}}
    event = {
        "specversion": "1.0",
        "id": delivery_id(change),
        "source": source,
        "type": f"org.cryovigil.card.{kind}.v1",
        "time": time,
        "subject": subject,
        "sequence": f"{sequence:020d}",
        "datacontenttype": "application/json",
        "data": data,
    }
    return msgspec.json.encode(event)
