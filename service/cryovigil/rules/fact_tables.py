"""The numbers and concept lists that facts read: mappings/facts, loaded together."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from cryovigil import strict_yaml
from cryovigil.rules.files import FactFile, fact_file

if TYPE_CHECKING:
    from datetime import date
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from cryovigil.facts import Parameters


class FactTables:
    """The fact files by module name. concepts: their lists, as Facts wants them."""

    def __init__(self, files: Mapping[str, FactFile]) -> None:
        self.files = files
        self.concepts: Mapping[str, Mapping[str, tuple[str, ...]]] = {
            name: file.concepts for name, file in files.items()
        }
        # As-of instants come in runs of the same day.
        self.parameters_on = lru_cache(self._parameters_on)

    def _parameters_on(self, day: date) -> Mapping[str, Parameters]:
        """The numbers in force on a day, by module name and parameter."""
        return {
            module: {name: p.on(day) for name, p in file.parameters.items()}
            for module, file in self.files.items()
        }


def load_fact_tables(root: Traversable | Path) -> FactTables:
    """`root`/facts/*.yaml, each read by itself. Raises RulebookInvalid."""
    return FactTables(
        {
            file.name.removesuffix(".yaml"): fact_file(file.read_bytes(), f"facts/{file.name}")
            for file in strict_yaml.files(root / "facts")
        }
    )
