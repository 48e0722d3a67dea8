"""`cryovigil rules`: what the rules ask, by which numbers, and whether the rulebook holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from enum import StrEnum
from importlib.resources import files
from inspect import cleandoc
from typing import Annotated, Any

import msgspec
import typer

from cryovigil.cards.figures import number_text
from cryovigil.rules.book import BookRule, defects, load_rulebook
from cryovigil.rules.files import Parameter

app = typer.Typer(no_args_is_help=True, help="The rulebook: rules, their numbers and sources.")

_ROOT = files("cryovigil") / "mappings"
# Signatures come from a site's own mounted file, which this version does not read yet.
_APPROVAL = "not locally approved"


class Format(StrEnum):
    """How a list is written."""

    TEXT = "text"
    JSON = "json"


Form = Annotated[Format, typer.Option("--format")]


@app.command("list")
def list_rules(form: Form = Format.TEXT) -> None:
    """The rules, how urgent their cards can be, and the digests that a site signs."""
    rows = [_row(rule) for rule in load_rulebook(_ROOT).rules]
    if form is Format.JSON:
        typer.echo(msgspec.json.encode(rows).decode())
        return
    for row in rows:
        typer.echo(f"{row['id']}: {row['title']}")
        typer.echo(f"  {' to '.join(row['indicators'])}; {row['approval']}; {row['digest']}")


@app.command()
def show(
    rule_id: Annotated[str, typer.Argument(metavar="ID", help="As `rules list` shows it.")],
    form: Form = Format.TEXT,
) -> None:
    """A rule's question, its logic in words, and each of its numbers with unit and source."""
    rule = next((r for r in load_rulebook(_ROOT).rules if r.id == rule_id), None)
    if rule is None:
        raise typer.BadParameter(f"there is no rule {rule_id}")
    today = datetime.now(UTC).date()
    parameters = [*_parameters(rule, today)]
    if form is Format.JSON:
        shown = _row(rule) | {
            "question": rule.file.question,
            "logic": cleandoc(rule.logic),
            "hooks": rule.file.hooks,
            "needs": rule.file.needs,
            "parameters": parameters,
        }
        typer.echo(msgspec.json.encode(shown).decode())
        return
    logic = cleandoc(rule.logic)
    typer.echo(f"{rule.id}: {rule.file.title}")
    if not logic.startswith(rule.file.question):
        typer.echo(rule.file.question)
    typer.echo(f"\n{logic}\n\n{_APPROVAL}; {rule.digest}")
    for parameter in parameters:
        value = number_text(parameter["value"])
        typer.echo(f"\n{parameter['name']}: {value} {parameter['unit']}")
        typer.echo(f"  {parameter['description']}")
        typer.echo(f"  {_cited(parameter['citation'])}; checked {parameter['checked']}")


@app.command()
def check() -> None:
    """Holds every rule file and fact file together; one line for each thing that is wrong."""
    found = defects(_ROOT)
    for defect in found:
        typer.echo(defect, err=True)
    if found:
        raise typer.Exit(1)
    book = load_rulebook(_ROOT)
    parameters = sum(len(rule.file.parameters) for rule in book.rules)
    parameters += sum(len(file.parameters) for file in book.facts.files.values())
    typer.echo(f"ok: {len(book.rules)} rules, {parameters} parameters, all cited, {book.digest}")


def _row(rule: BookRule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "title": rule.file.title,
        "indicators": rule.indicators,
        "approval": _APPROVAL,
        "digest": rule.digest,
    }


def _parameters(rule: BookRule, today: date) -> Iterator[dict[str, Any]]:
    for name, parameter in rule.file.parameters.items():
        yield {
            "name": name,
            "value": parameter.on(today),
            "unit": parameter.unit,
            "description": parameter.description,
            "citation": _citation(rule, parameter),
            "checked": parameter.checked,
        }


def _citation(rule: BookRule, parameter: Parameter) -> dict[str, Any]:
    """The reference and the place in it; what is not there is left out."""
    citation = parameter.citation
    reference = rule.file.references[citation.reference]
    members = {
        "title": reference.title,
        "link": reference.link,
        "journal": reference.journal,
        "year": reference.year,
        "place": citation.place,
        "quote": citation.quote,
        "reason": citation.reason,
        "unconfirmed": citation.unconfirmed or None,
    }
    return {name: value for name, value in members.items() if value is not None}


def _cited(citation: dict[str, Any]) -> str:
    text = f"{citation['title']}, {citation['place']}"
    for name in ("quote", "reason", "link"):
        if name in citation:
            text += f"; {citation[name]}"
    return f"{text}; not yet held against the source" if "unconfirmed" in citation else text
