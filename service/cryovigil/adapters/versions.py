"""Versions of resources: what the store knows of them, and what it is told to keep.

Patients are their keys here, as everywhere in the store.
"""

from __future__ import annotations

from msgspec import Struct

from cryovigil.normalize.readings import Update
from cryovigil.timeline import Head


class Known(Struct, frozen=True):
    """A stored resource: its head, the patient whose answers depend on it, and whether it is tied.

    tie: as of Kept, and also where what came later is as likely to be the newest.
    """

    head: Head
    patient: int | None
    tie: bool = False


class Kept(Struct, frozen=True):
    """A resource version to keep in place of what is stored of that resource.

    patient: the key its readings belong to, None for a tombstone of an unknown patient; content:
    hash of its readings; tie: nothing says whether it is newer than what it replaces.
    """

    update: Update
    patient: int | None
    content: int
    tie: bool = False


class Tied(Struct, frozen=True):
    """A stored resource that stays, though nothing says whether what came is newer.

    patient: to be told, where what is stored names none.
    """

    key: int
    identity: str
    patient: int | None
