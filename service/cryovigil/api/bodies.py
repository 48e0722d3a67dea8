"""Reads a request's JSON body: what it is declared to be, how large and how deep it may be."""

from __future__ import annotations

import asyncio
from typing import TypeVar

import msgspec
from fastapi import Request
from starlette.requests import ClientDisconnect

from cryovigil.api.problems import Problem, Refusal
from cryovigil.envelopes import check_depth
from cryovigil.errors import Unreadable

T = TypeVar("T")

_QUICK = 1 << 16
"""Bodies up to here are read in the event loop; larger ones would hold it up."""

_NOT_JSON_TYPE = Refusal(415, "not-supported", "Send application/json, without Content-Encoding.")
_TOO_LARGE = Refusal(413, "too-long", "The body is larger than this service reads.")
_NOT_JSON = Refusal(400, "invalid", "The body is not JSON in UTF-8 that this service reads.")
_TOO_DEEP = Refusal(400, "invalid", "The body is nested deeper than 100 levels.")
_WRONG_MEMBER = Refusal(400, "invalid", "A member is missing or of the wrong type.")


async def read_json(request: Request, shape: type[T], max_bytes: int) -> T:
    """The body as `shape`. Raises Problem: 415, 413, 400, in this order."""
    _check_type(request)
    body = await _bounded(request, max_bytes)
    if len(body) <= _QUICK:
        return _decoded(body, shape)
    return await asyncio.to_thread(_decoded, body, shape)


def _check_type(request: Request) -> None:
    media_type, *parameters = request.headers.get("content-type", "").lower().split(";")
    charsets = {p.strip().replace('"', "") for p in parameters if p.strip().startswith("charset")}
    if (
        media_type.strip() != "application/json"
        or not charsets <= {"charset=utf-8"}
        or "content-encoding" in request.headers
    ):
        raise Problem(_NOT_JSON_TYPE)


async def _bounded(request: Request, max_bytes: int) -> bytes:
    """Never more than `max_bytes` in memory, whatever the length that was announced."""
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise Problem(_TOO_LARGE)
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > max_bytes:
                raise Problem(_TOO_LARGE)
    except ClientDisconnect:
        raise Problem(_NOT_JSON) from None
    return bytes(body)


def _decoded(body: bytes, shape: type[T]) -> T:
    try:
        body.decode()  # members that are skipped are not looked at otherwise
        check_depth(body)
        return msgspec.json.decode(body, type=shape)
    except Unreadable:
        raise Problem(_TOO_DEEP) from None
    except msgspec.ValidationError:
        raise Problem(_WRONG_MEMBER) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Problem(_NOT_JSON) from None
