"""The groups of settings, each with the rules its own members must keep.

An error names a setting and says what it must be; it never repeats what was given.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import NoDecode

from cryovigil.settings.checks import (
    check_address,
    check_readable,
    check_token,
    host_of,
    is_loopback,
    tls_context,
)

MEBIBYTE = 1024 * 1024
_LATER_SINKS = ("fhir", "kafka")


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


CommaList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class Part(BaseModel):
    """What every group of settings has in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Kafka(Part):
    """Where records come from. Times in milliseconds, as Kafka's own settings are written."""

    bootstrap_servers: CommaList = ("localhost:9092",)
    topics: CommaList = ("fhir.observation", "fhir.condition", "fhir.treatment", "fhir.patient")
    group_id: str = Field(default="cryovigil", min_length=1)
    sources: Path | None = None
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    allow_plaintext: bool = False
    ssl_ca_file: Path | None = None
    ssl_certificate_file: Path | None = None
    ssl_key_file: Path | None = None
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    session_timeout_ms: PositiveInt = 45_000
    heartbeat_interval_ms: PositiveInt = 3_000
    rebalance_timeout_ms: PositiveInt = 20_000
    request_timeout_ms: PositiveInt = 40_000
    max_poll_interval_ms: PositiveInt = 300_000
    max_record_bytes: PositiveInt = 8 * MEBIBYTE

    @field_validator("topics", "bootstrap_servers")
    @classmethod
    def _some(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("needs at least one entry")
        return value

    @field_validator("bootstrap_servers")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for server in value:
            host_of(server)
        return value

    @field_validator("ssl_ca_file", "ssl_certificate_file", "ssl_key_file")
    @classmethod
    def _readable(cls, value: Path | None) -> Path | None:
        if value is not None:
            check_readable(value)
        return value

    @model_validator(mode="after")
    def _certificates(self) -> Self:
        if self.security_protocol.endswith("SSL"):
            try:
                tls_context(self.ssl_ca_file, self.ssl_certificate_file, self.ssl_key_file)
            except (ValueError, OSError):
                raise ValueError(
                    "SSL_CA_FILE, SSL_CERTIFICATE_FILE and SSL_KEY_FILE must hold PEM that fits"
                ) from None
        return self

    @model_validator(mode="after")
    def _times_fit(self) -> Self:
        if self.heartbeat_interval_ms * 3 > self.session_timeout_ms:
            raise ValueError("HEARTBEAT_INTERVAL_MS must be at most a third of SESSION_TIMEOUT_MS")
        # A JoinGroup may wait as long as the rebalance timeout. A request that gives up before
        # declares the coordinator dead, and the consumer never gets its partitions back.
        if self.rebalance_timeout_ms + 5_000 >= self.request_timeout_ms:
            raise ValueError("REQUEST_TIMEOUT_MS must exceed REBALANCE_TIMEOUT_MS by over 5000")
        return self

    @model_validator(mode="after")
    def _protected(self) -> Self:
        far = not all(is_loopback(host_of(server)) for server in self.bootstrap_servers)
        if far and self.security_protocol.endswith("PLAINTEXT") and not self.allow_plaintext:
            raise ValueError("SECURITY_PROTOCOL must use TLS, or set ALLOW_PLAINTEXT=true")
        named = self.sasl_username is not None and self.sasl_password is not None
        if self.security_protocol.startswith("SASL") and not named:
            raise ValueError("SASL_USERNAME and SASL_PASSWORD are needed by SECURITY_PROTOCOL")
        return self


class Database(Part):
    """migrate: `auto` lets `serve` migrate PostgreSQL; SQLite is always migrated by it."""

    migrate: Literal["auto", "manual"] = "manual"
    pool_size: PositiveInt = 10


class Ehr(Part):
    """Where cards go. url: an address for `cloudevents`, a path for `file`."""

    sink: Literal["cloudevents", "file", "none"] = "none"
    url: str | None = None
    token: SecretStr | None = None
    allow_http: bool = False
    timeout_s: PositiveFloat = 10.0
    concurrency: PositiveInt = 8

    @field_validator("sink", mode="before")
    @classmethod
    def _there_yet(cls, value: object) -> object:
        if value in _LATER_SINKS:
            raise ValueError("this sink is not available in this version")
        return value

    @field_validator("token")
    @classmethod
    def _fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            check_token(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _has_target(self) -> Self:
        if self.sink == "none":
            return self
        if not self.url:
            raise ValueError("URL is needed by SINK")
        if self.sink == "cloudevents":
            try:
                check_address(self.url, plain=self.allow_http)
            except ValueError as error:
                raise ValueError(f"URL {error}") from None
        return self


class Http(Part):
    """The address of the API. max_body_bytes: of a request, counted after any framing."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    allow_unauthenticated: bool = False
    max_body_bytes: PositiveInt = 16 * MEBIBYTE

    @model_validator(mode="after")
    def _private(self) -> Self:
        if not is_loopback(self.host) and not self.allow_unauthenticated:
            raise ValueError("HOST must be loopback, or set ALLOW_UNAUTHENTICATED=true")
        return self


class Admin(Part):
    """A port of their own for probes and metrics; they share the API's where none is set."""

    port: int | None = Field(default=None, ge=0, le=65535)


class Site(Part):
    """What only the hospital knows. opt_out_tags: `system|code` of meta.tag."""

    time_zone: str = "UTC"
    language: Literal["en"] = "en"
    coverage: Path | None = None
    opt_out_tags: CommaList = ()

    @field_validator("time_zone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("is no time zone of the IANA database") from None
        return value

    @field_validator("opt_out_tags")
    @classmethod
    def _with_system(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any("|" not in tag for tag in value):
            raise ValueError("each entry must be written system|code")
        return value


class Mappings(Part):
    """site: a YAML file of the site's own codes."""

    site: Path | None = None


class Rules(Part):
    """disabled: ids of rules that are switched off."""

    disabled: CommaList = ()


class Log(Part):
    """level: the least severe events that are written."""

    level: Literal["debug", "info", "warning", "error"] = "info"
