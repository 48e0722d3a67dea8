"""Cards as they stand: one by its uuid, or all that changed since an instant, for a resync."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from fastapi import APIRouter, Request, Response

from cryovigil.api.problems import NOT_FOUND, Problem, Refusal

if TYPE_CHECKING:
    from cryovigil.adapters.ports import StoredCard
    from cryovigil.api import ApiParts

_NO_INSTANT = Refusal(400, "invalid", "Say since when: ?since= and an instant with its offset.")


def router(parts: ApiParts) -> APIRouter:
    """GET /cards?since=INSTANT, GET /cards/{uuid}."""
    routes = APIRouter()

    @routes.get("/cards")
    async def changed(request: Request) -> Response:
        since = _instant(request.query_params.get("since", ""))
        return _json({"cards": [_shown(card) async for card in parts.store.cards_since(since)]})

    @routes.get("/cards/{card_uuid}")
    async def one(card_uuid: str) -> Response:
        card = await parts.store.card(_canonical(card_uuid))
        if card is None:
            raise Problem(NOT_FOUND)
        return _json(_shown(card))

    return routes


def _instant(text: str) -> datetime:
    """An instant in UTC. A plus sign that nobody escaped arrives as a space."""
    try:
        instant = datetime.fromisoformat(text.replace(" ", "+"))
        if instant.tzinfo is not None:
            return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Problem(_NO_INSTANT)


def _canonical(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise Problem(NOT_FOUND) from None


def _shown(card: StoredCard) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "card": card.state.card,
        "state": card.state.state,
        "revision": card.state.revision,
        "changed_at": card.changed_at,
    }
    return shown | ({"reason": card.reason} if card.reason else {})


def _json(content: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")
