"""Settings: read once from the environment and mounted files, checked, then frozen.

`CRYOVIGIL_KAFKA__TOPICS=a,b` sets `kafka.topics`. Any of them may come as a file of that name in
the folder `CRYOVIGIL_SECRETS_DIR`; the environment wins. An unknown name, a setting whose feature
this version lacks, and settings that contradict each other stop the start with one line that names
the setting and never its value.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from cryovigil.errors import SettingsInvalid
from cryovigil.settings.checks import check_database
from cryovigil.settings.parts import (
    Admin,
    Database,
    Ehr,
    Http,
    Kafka,
    Log,
    Mappings,
    Part,
    Rules,
    Site,
)

PREFIX = "CRYOVIGIL_"
SECRETS_DIR = f"{PREFIX}SECRETS_DIR"

# Known by name, not there yet: the values beside each ask for nothing and are let through.
_OFF = frozenset({"", "false", "0", "no", "off"})
_LATER: Mapping[str, frozenset[str]] = {
    "CDS_HOOKS__REQUIRE_JWT": _OFF,
    "CDS_HOOKS__ISSUERS": frozenset({"", "[]"}),
    "CDS_HOOKS__CORS_ORIGINS": frozenset({"", "[]"}),
    "INTAKE__TOKEN": frozenset({""}),
    "INTAKE__ISSUER": frozenset({""}),
    "INTAKE__TOPIC": frozenset({""}),
    "RULES__REQUIRE_APPROVAL": _OFF,
    "RULES__APPROVALS": frozenset({""}),
    "IDENTITY__SYSTEMS": frozenset({""}),
    "KAFKA__UNREADABLE_RUN_LIMIT": frozenset({""}),
}


class Settings(BaseSettings):
    """Everything that can be set. `load()` is how it is read."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    kafka: Kafka = Kafka()
    database_url: SecretStr = SecretStr("sqlite:///cryovigil.db")
    database: Database = Database()
    ehr: Ehr = Ehr()
    http: Http = Http()
    admin: Admin = Admin()
    site: Site = Site()
    mappings: Mappings = Mappings()
    rules: Rules = Rules()
    log: Log = Log()
    public_url: str | None = None
    secret: SecretStr | None = Field(default=None, min_length=16)
    # From SIGTERM to exit within 30 s; in less than 5 nothing in hand could be finished.
    shutdown_s: float = Field(default=25.0, ge=5.0, le=25.0)

    @field_validator("database_url")
    @classmethod
    def _dialect(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("sqlite:///", "postgresql://")):
            raise ValueError("must begin with sqlite:/// or postgresql://")
        check_database(value.get_secret_value())
        return value

    @field_validator("public_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must be an http or https address")
        return value.rstrip("/") if value else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 (as pydantic calls it)
        init_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (as pydantic calls it)
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (as pydantic calls it)
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then mounted files. No .env file is looked for."""
        folder = os.environ.get(SECRETS_DIR)
        if not folder:
            return (env_settings,)
        mounted = NestedSecretsSettingsSource(
            file_secret_settings, secrets_dir=folder, secrets_dir_missing="error"
        )
        return env_settings, mounted


def load() -> Settings:
    """Reads and checks every setting. Raises SettingsInvalid with one line."""
    given = dict(os.environ)
    folder = os.environ.get(SECRETS_DIR)
    if folder:
        given = {**_mounted(Path(folder)), **given}
    _check_names(given)
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsInvalid(_one_line(error)) from None


def known_names() -> frozenset[str]:
    """Every environment variable that a setting of this version can be set by."""
    return frozenset(f"{PREFIX}{name}" for name in _names(Settings))


def _names(model: type[BaseModel]) -> list[str]:
    found = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Part):
            found += [f"{name.upper()}__{inner}" for inner in _names(kind)]
        else:
            found.append(name.upper())
    return found


def _mounted(folder: Path) -> dict[str, str]:
    """Names of the files that Kubernetes or an operator mounted, without their contents."""
    if not folder.is_dir():
        raise SettingsInvalid(f"{SECRETS_DIR}: there is no such folder")
    return {file.name: "file" for file in folder.iterdir() if not file.name.startswith(".")}


def _check_names(given: Mapping[str, str]) -> None:
    known = known_names() | {SECRETS_DIR}
    for name in sorted(given):
        upper = name.upper()
        if not upper.startswith(PREFIX) or upper in known:
            continue
        idle = _LATER.get(upper.removeprefix(PREFIX))
        if idle is None:
            raise SettingsInvalid(f"{name}: there is no such setting")
        if given[name].strip().lower() not in idle:
            raise SettingsInvalid(f"{name}: not available in this version, remove it")


def _one_line(error: ValidationError) -> str:
    """The first complaint, by the name of its variable. Messages of pydantic quote no input."""
    first = error.errors(include_input=False, include_context=False, include_url=False)[0]
    name = PREFIX + "__".join(str(part).upper() for part in first["loc"] if isinstance(part, str))
    message = first["msg"].removeprefix("Value error, ")
    if message[:2].isupper():  # a rule between members of a group begins with the member's name
        return f"{name}__{message}"
    return f"{name}: {message}"
