"""The files a site mounts: its codes, what it declares complete, where each topic comes from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from cryovigil import strict_yaml
from cryovigil.decode import Source
from cryovigil.errors import RulebookInvalid, SettingsInvalid
from cryovigil.facts.coverage import NONE, Coverage, CoverageClass
from cryovigil.normalize.tables import Tables, load_tables
from cryovigil.settings import Settings

T = TypeVar("T")


class _Declared(Struct, frozen=True, forbid_unknown_fields=True, rename={"name": "class"}):
    """One row of SITE__COVERAGE. system: the source it holds for, which is not offered yet."""

    name: CoverageClass
    complete_from: date
    system: str | None = None


class _Source(Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of KAFKA__SOURCES."""

    system: str = "default"
    base: str | None = None
    issuer: str = ""
    tenant: str = ""


def coverage(settings: Settings) -> Coverage:
    """What the site declares complete. A class that is declared twice holds from the later day."""
    path = settings.site.coverage
    if path is None:
        return NONE
    found: dict[str, date] = {}
    for row in _read(path, list[_Declared], "CRYOVIGIL_SITE__COVERAGE"):
        if row.system is not None:  # read for every source, it would call absence a no elsewhere
            raise SettingsInvalid(
                f"CRYOVIGIL_SITE__COVERAGE: {path.name}: system: not offered yet; a row holds for "
                "every source, so declare only what all of them give in full"
            )
        found[row.name] = max(row.complete_from, found.get(row.name, row.complete_from))
    return Coverage(**found)


def sources(settings: Settings) -> Mapping[str, Source]:
    """The source of each topic that has one of its own; the default is under ""."""
    found = {"": Source()}
    path = settings.kafka.sources
    if path is None:
        return found
    rows = _read(path, dict[str, _Source], "CRYOVIGIL_KAFKA__SOURCES")
    for topic, row in rows.items():
        if topic not in settings.kafka.topics:
            raise SettingsInvalid("CRYOVIGIL_KAFKA__SOURCES: names a topic that is not in TOPICS")
        found[topic] = Source(
            system=row.system, issuer=row.issuer, tenant=row.tenant, base=row.base
        )
    return found


def tables(settings: Settings, root: Traversable) -> Tables:
    """The shipped mappings under `root` with the site's own codes."""
    site = settings.mappings.site
    try:
        return load_tables(root, site)
    except RulebookInvalid as error:
        if site is None or not str(error).startswith(f"{site.name}: "):
            raise
        raise SettingsInvalid(f"CRYOVIGIL_MAPPINGS__SITE: {error}") from None


def opt_out_tags(settings: Settings) -> frozenset[tuple[str, str]]:
    """(system, code) of the tags that keep a patient out of cards."""
    pairs = (tag.partition("|") for tag in settings.site.opt_out_tags)
    return frozenset((system, code) for system, _, code in pairs)


def _read(path: Path, shape: type[T], setting: str) -> T:
    try:
        return strict_yaml.read(path, shape)
    except OSError:
        raise SettingsInvalid(f"{setting}: the file cannot be read") from None
    except RulebookInvalid as error:
        raise SettingsInvalid(f"{setting}: {error}") from None
