"""The rulebook: every rule with its file, module, numbers, texts and digest, checked as a whole.

It is loaded once, at the start, and never changes. A rulebook that does not hold together stops
the start: one line names file and field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache, reduce
from hashlib import sha256
from importlib import import_module
from importlib.resources import files
from operator import or_
from typing import TYPE_CHECKING, TypeVar, cast

from msgspec import Struct

from cryovigil import strict_yaml
from cryovigil.errors import RulebookInvalid, SettingsInvalid
from cryovigil.normalize.codes import load_concepts
from cryovigil.rules import Answer, CannotTell, Indicator, Parameters, Rule
from cryovigil.rules.checks import fact_defects, rule_defects
from cryovigil.rules.fact_tables import FactTables
from cryovigil.rules.files import Language, RuleFile, fact_file, rule_file
from cryovigil.rules.needs import Need, need, union, with_specific
from cryovigil.rules.sources import modules, sources
from cryovigil.rules.spans import Span, span
from cryovigil.rules.templates import Template, template

if TYPE_CHECKING:
    from datetime import date
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from cryovigil.facts import Facts
    from cryovigil.normalize.codes import Concept

T = TypeVar("T")

_PACKAGE = "cryovigil.rules"
_INDICATORS: tuple[Indicator, ...] = ("info", "warning", "critical")
_FACTS = "cryovigil.facts"
_ENGINE = (_FACTS, "cryovigil.normalize", "cryovigil.cards")
_ALONE = ("timeline.py", "rules/showing.py")
# Every answer depends on the person: age, death, and whether cards are wanted at all.
_PERSON = {"patient": Need(whole=True)}


class BookRule(Struct, frozen=True, kw_only=True):
    """A rule of the book.

    needs: by concept; digest: of its file and module, what a site signs; logic: the module's
    docstring; indicators: those the module can give, mildest first.
    """

    file: RuleFile
    module: Rule
    needs: Mapping[str, Need]
    expiry: Span
    digest: str
    logic: str
    indicators: tuple[Indicator, ...]
    summaries: Mapping[Language, Mapping[str, Template]]
    detail: Mapping[Language, tuple[Template, ...]]
    parameters_on: Callable[[date], Parameters]

    @property
    def id(self) -> str:
        """The rule's name, everywhere."""
        return self.file.id


class Rulebook(Struct, frozen=True, kw_only=True):
    """The rules in use, in the order of their ids, and what their facts need.

    facts: the numbers and lists of the fact files; needs: by concept, what satisfies every rule,
    and the person; engine_digest: of what a card depends on besides the rule (facts, normalizing,
    mappings, how it is written), recorded with it and not signed; digest: of the whole.
    """

    rules: tuple[BookRule, ...]
    facts: FactTables
    needs: Mapping[str, Need]
    engine_digest: str
    digest: str

    def parameters_on(self, day: date) -> Mapping[str, Parameters]:
        """The facts' numbers in force on a day, as Facts wants them."""
        return self.facts.parameters_on(day)

    @property
    def concepts(self) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
        """The facts' lists of concept names, as Facts wants them."""
        return self.facts.concepts

    def ask(
        self,
        rule: BookRule,
        facts: Facts,
        *,
        on_failure: Callable[[str, str], None] | None = None,
    ) -> Answer:
        """The rule's answer; one that raises cannot tell, and `on_failure` gets its id and why.

        Why is the class of the error alone: its message might quote the record.
        """
        try:
            return rule.module.answer(facts, rule.parameters_on(facts.as_of.today))
        except Exception as error:  # noqa: BLE001 (a bug in one rule must not silence the others)
            if on_failure is not None:
                on_failure(rule.id, type(error).__name__)
            return CannotTell(missing=("rule-failed",), failed=True)


def load_rulebook(
    root: Traversable | Path, *, disabled: frozenset[str] = frozenset(), package: str = _PACKAGE
) -> Rulebook:
    """The rules under `root`, answered by the modules of `package`; `disabled` ids are left out.

    Raises RulebookInvalid with the first thing that is wrong, SettingsInvalid where a rule that is
    switched off is not there.
    """
    files_read = _Files(root, package)
    for defect in files_read.defects():
        raise RulebookInvalid(defect)
    if disabled - files_read.rules.keys():
        known = ", ".join(sorted(files_read.rules))
        raise SettingsInvalid(f"CRYOVIGIL_RULES__DISABLED: names a rule that is none of: {known}")
    return _bound(files_read, disabled)


def defects(root: Traversable | Path, *, package: str = _PACKAGE) -> tuple[str, ...]:
    """Everything that is wrong with the rulebook under `root`, one line each."""
    try:
        return tuple(_Files(root, package).defects())
    except RulebookInvalid as error:
        return (str(error),)


class _Files:
    """What is read before anything is believed: rule files, fact files, concepts, modules.

    rules, facts: by stem, as bytes and as what they say; broken: lines about files that cannot be
    read as such.
    """

    def __init__(self, root: Traversable | Path, package: str) -> None:
        self.root = root
        self.package = package
        self.broken: list[str] = []
        self.concepts: Mapping[str, Concept] = load_concepts(root)
        self.modules = modules(package)
        self.fact_modules = modules(_FACTS)
        self.bytes = {
            file.name.removesuffix(".yaml"): file.read_bytes()
            for file in strict_yaml.files(root / "rules")
        }
        self.rules = {
            stem: file
            for stem, content in self.bytes.items()
            if (file := self._read(rule_file, content, f"{stem}.yaml")) is not None
        }
        self.facts = {
            file.name.removesuffix(".yaml"): read
            for file in strict_yaml.files(root / "facts")
            if (read := self._read(fact_file, file.read_bytes(), f"facts/{file.name}")) is not None
        }

    def defects(self) -> Iterator[str]:
        """One line each, file first."""
        yield from self.broken
        read = [*self.fact_modules.values(), *self.modules.values()]
        strings = reduce(or_, (module.strings for module in read))
        for name, facts in self.facts.items():
            module = self.fact_modules.get(name)
            for line in fact_defects(facts, module, strings, self.concepts):
                yield f"facts/{name}.yaml: {line}"
        for stem, rule in self.rules.items():
            module = self.modules.get(_module_name(stem))
            for line in rule_defects(rule, stem, module, self.concepts):
                yield f"{stem}.yaml: {line}"
        for module in self.modules.values():
            stem = module.name.replace("_", "-")
            if module.is_rule and stem not in self.bytes:
                yield f"{stem}.yaml: missing, rules/{module.name}.py has no file"

    def _read(self, read: Callable[[bytes, str], T], content: bytes, name: str) -> T | None:
        try:
            return read(content, name)
        except RulebookInvalid as error:
            self.broken.append(str(error))
            return None


def _bound(read: _Files, disabled: frozenset[str]) -> Rulebook:
    """The rulebook of files that hold together."""
    engine = _engine_digest(read.root)
    used = sorted(read.rules.keys() - disabled)
    rules = tuple(_rule(read, read.rules[stem]) for stem in used)
    return Rulebook(
        rules=rules,
        facts=FactTables(read.facts),
        needs=with_specific(union([_PERSON, *(rule.needs for rule in rules)]), read.concepts),
        engine_digest=engine,
        digest=_digest([engine.encode(), *(rule.digest.encode() for rule in rules)]),
    )


def _rule(read: _Files, file: RuleFile) -> BookRule:
    name = _module_name(file.id)
    source = read.modules[name]
    module = import_module(f"{read.package}.{name}")
    if file.id != module.ID:
        raise RulebookInvalid(f"{file.id}.yaml: id: rules/{name}.py calls itself {module.ID!r}")
    return BookRule(
        file=file,
        module=cast("Rule", module),
        needs={concept: need(text) for concept, text in file.needs.items()},
        expiry=span(file.expiry),
        digest=_digest([read.bytes[file.id], source.source]),
        logic=module.__doc__ or "",
        indicators=tuple(i for i in _INDICATORS if i in source.strings.constants),
        summaries={
            language: {key: template(text) for key, text in file.card.summaries(language).items()}
            for language in file.card.summary
        },
        detail={
            language: tuple(template(line) for line in lines)
            for language, lines in file.card.detail.items()
        },
        parameters_on=lru_cache(
            lambda day: {name: p.on(day) for name, p in file.parameters.items()}
        ),
    )


def _module_name(stem: str) -> str:
    return stem.replace("-", "_")


def _engine_digest(root: Traversable | Path) -> str:
    """Of the facts, normalizing, the timeline, how a card is written, and every mapping that is no
    rule file.
    """
    steps = [source for package in _ENGINE for source in sources(package).values()]
    alone = [(files("cryovigil") / name).read_bytes() for name in _ALONE]
    folders = ("codes", "facts", "units", "values")
    mappings = [file for folder in folders for file in strict_yaml.files(root / folder)]
    shipped = [(root / "concepts.yaml"), *mappings]
    return _digest([*steps, *alone, *(file.read_bytes() for file in shipped)])


def _digest(contents: Iterable[bytes]) -> str:
    """SHA-256 over contents and their lengths, so that no byte can move from one to the next."""
    total = sha256()
    for content in contents:
        total.update(len(content).to_bytes(8, "big"))
        total.update(content)
    return f"sha256:{total.hexdigest()}"
