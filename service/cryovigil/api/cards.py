"""Cards as they stand: one by its uuid, or all that changed since an instant, for a resync."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter, Request, Response

from cryovigil.api.problems import NOT_FOUND, Problem, Refusal

if TYPE_CHECKING:
    from cryovigil.adapters.ports import StoredCard
    from cryovigil.api import ApiParts

PAGE = 100
# A card says when its change was decided. The transaction that keeps it may end after another
# one's that was decided later: what is asked for next time begins so much earlier.
OVERLAP = timedelta(minutes=10)
_NO_INSTANT = Refusal(400, "invalid", "Say since when: ?since= and an instant with its offset.")
_NO_PLACE = Refusal(400, "invalid", "Follow the next member of the page before, as it is.")
_NO_LIMIT = Refusal(400, "invalid", f"A page has a limit of 1 to {PAGE} cards.")
# The last card of a page: when it changed, and its uuid.
_Place: TypeAlias = tuple[datetime, str]


def router(parts: ApiParts) -> APIRouter:
    """GET /cards?since=INSTANT, a page of it; GET /cards/{uuid}.

    next: where the next page is, if there is one; since: what to ask with at the next resync,
    which repeats the last few minutes (uuid and revision tell what is known already).
    """
    routes = APIRouter()

    @routes.get("/cards")
    async def changed(request: Request) -> Response:
        asked = request.query_params
        since, limit = _instant(asked.get("since", "")), _limit(asked.get("limit"))
        after = _place(asked["after"]) if "after" in asked else None
        instant, last = after or (since, "")
        found = await parts.store.cards_since(instant, limit + 1, last)
        return _json(_page(since, after, found, limit))

    @routes.get("/cards/{card_uuid}")
    async def one(card_uuid: str) -> Response:
        card = await parts.store.card(_canonical(card_uuid))
        if card is None:
            raise Problem(NOT_FOUND)
        return _json(_shown(card))

    return routes


def _page(
    since: datetime, after: _Place | None, found: Sequence[StoredCard], limit: int
) -> dict[str, Any]:
    """A page of what was found, which is one card more where there is another page."""
    listed = found[:limit]
    last = (listed[-1].changed_at, listed[-1].state.uuid) if listed else after
    page: dict[str, Any] = {"cards": [_shown(card) for card in listed]}
    if last is not None and len(found) > limit:
        place = f"{last[0].isoformat()},{last[1]}"
        query = urlencode({"since": since.isoformat(), "after": place, "limit": limit})
        return page | {"next": f"/cards?{query}"}
    overlapped = last is not None and last[0] > since + OVERLAP
    return page | {"since": last[0] - OVERLAP if last and overlapped else since}


def _instant(text: str) -> datetime:
    """An instant in UTC. A plus sign that nobody escaped arrives as a space."""
    try:
        instant = datetime.fromisoformat(text.replace(" ", "+"))
        if instant.tzinfo is not None:
            return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Problem(_NO_INSTANT)


def _place(text: str) -> _Place:
    instant, _, card_uuid = text.partition(",")
    try:
        return _instant(instant), str(uuid.UUID(card_uuid))
    except (Problem, ValueError):
        raise Problem(_NO_PLACE) from None


def _limit(text: str | None) -> int:
    if text is None:
        return PAGE
    if text.isascii() and text.isdigit() and len(text) <= len(str(PAGE)) and 0 < int(text) <= PAGE:
        return int(text)
    raise Problem(_NO_LIMIT)


def _canonical(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise Problem(NOT_FOUND) from None


def _shown(card: StoredCard) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "card": card.state.card,
        "subject": card.patient.subject,
        "state": card.state.state,
        "revision": card.state.revision,
        "changedAt": card.changed_at,
    }
    return shown | ({"reason": card.reason} if card.reason else {})


def _json(content: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")
