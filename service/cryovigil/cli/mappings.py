"""`cryovigil mappings`: whether the code maps hold together, and what a code stands for."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from cryovigil import strict_yaml
from cryovigil.normalize.code_system import CodeRow
from cryovigil.normalize.tables import load_tables

app = typer.Typer(no_args_is_help=True, help="The code maps: codes, units and words to concepts.")

SHORT_NAMES: Mapping[str, str] = {
    "loinc": "http://loinc.org",
    "snomed": "http://snomed.info/sct",
    "icd-10": "http://hl7.org/fhir/sid/icd-10",
    "icd-10-cm": "http://hl7.org/fhir/sid/icd-10-cm",
    "icd-10-pcs": "http://www.cms.gov/Medicare/Coding/ICD10",
    "atc": "http://www.whocc.no/atc",
    "rxnorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "icd-11": "http://id.who.int/icd/release/11/mms",
    "hpo": "http://purl.obolibrary.org/obo/hp.owl",
    "orpha": "http://www.orpha.net",
}
_ROOT = files("cryovigil") / "mappings"
_FOLDERS = {"codes": "code systems", "units": "files of units", "values": "files of values"}


class Format(StrEnum):
    """How a list is written."""

    TEXT = "text"
    JSON = "json"


Site = Annotated[
    Path | None,
    typer.Option(
        "--site",
        envvar="CRYOVIGIL_MAPPINGS__SITE",
        help="The site's own rows (YAML).",
        exists=True,
        dir_okay=False,
    ),
]


@app.command()
def check(site: Site = None) -> None:
    """Loads every mapping; one line says what they hold, or what is wrong with them."""
    tables = load_tables(_ROOT, site)
    counts = {folder: len(strict_yaml.files(_ROOT / folder)) for folder in _FOLDERS}
    held = ", ".join(f"{counts[folder]} {name}" for folder, name in _FOLDERS.items())
    typer.echo(f"ok: {len(tables.concepts)} concepts, {held}, sha256:{tables.digest}")


@app.command()
def lookup(
    system: Annotated[str, typer.Argument(help=f"A URL, or {', '.join(SHORT_NAMES)}.")],
    code: Annotated[str, typer.Argument(help="The code, as a record has it.")],
    site: Site = None,
    form: Annotated[Format, typer.Option("--format")] = Format.TEXT,
) -> None:
    """What a code stands for, by which rows, and where these come from."""
    url = SHORT_NAMES.get(system.lower(), system)
    codes = load_tables(_ROOT, site).codes
    concepts, rows = codes.concepts(url, code), codes.rows(url, code)
    if form is Format.JSON:
        found = {"system": url, "code": code, "concepts": concepts, "rows": [*map(_plain, rows)]}
        typer.echo(msgspec.json.encode(found).decode())
        return
    console = Console()
    names = ", ".join(concepts) if concepts else "no concept: unmapped"
    console.print(f"{url} {code}: {names}", markup=False, highlight=False)
    if rows:
        console.print(_table(rows))


def _plain(row: CodeRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__struct_fields__ if name != "system"}


def _table(rows: tuple[CodeRow, ...]) -> Table:
    table = Table()
    for column in ("row", "concept", "display", "status", "acts", "source"):
        table.add_column(column, overflow="fold")
    for row in rows:
        acts = "yes" if row.active else "no"
        table.add_row(row.code, row.concept, row.display, row.status, acts, row.source)
    return table
