"""How much of each concept the rules read, so that the store can bound what it reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from cryovigil.normalize.codes import counted_as

if TYPE_CHECKING:
    from cryovigil.normalize.codes import Concept

_DAYS = re.compile(r"([1-9]\d{0,4}) d")


class Need(Struct, frozen=True):
    """Everything of a concept; or the latest and what lies so many days before as-of.

    The latest are two: the latest that counts and can be read, and the latest of any status. days:
    0 for them alone.
    """

    whole: bool
    days: int = 0

    def __or__(self, other: Need) -> Need:
        """What satisfies both."""
        whole = self.whole or other.whole
        return Need(whole, 0 if whole else max(self.days, other.days))


def need(text: str) -> Need:
    """Raises ValueError for anything but `all`, `latest` and `<N> d`."""
    if text in ("all", "latest"):
        return Need(whole=text == "all")
    found = _DAYS.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is neither all, latest nor a number of days such as 365 d")
    return Need(whole=False, days=int(found[1]))


def union(needs: Iterable[Mapping[str, Need]]) -> dict[str, Need]:
    """What satisfies all of them, by concept in name order."""
    both: dict[str, Need] = {}
    for one in needs:
        for concept, wanted in one.items():
            both[concept] = both[concept] | wanted if concept in both else wanted
    return dict(sorted(both.items()))


def with_specific(needs: Mapping[str, Need], concepts: Mapping[str, Concept]) -> dict[str, Need]:
    """The needs, and the same of every concept that counts as a needed one too."""
    also = (
        {concept.name: needs[general]}
        for concept in concepts.values()
        for general in counted_as(concept.name, concepts)
        if general in needs
    )
    return union([needs, *also])
