"""Settings are known by name, checked as a whole, and never repeated in an error."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr

from cryovigil.errors import SettingsInvalid
from cryovigil.settings import Settings, known_names, load
from cryovigil.settings.checks import base_url, is_loopback
from cryovigil.settings.parts import Part


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("CRYOVIGIL_")]:
        monkeypatch.delenv(name)


def loaded(monkeypatch: pytest.MonkeyPatch, **given: str) -> Settings:
    for name, value in given.items():
        monkeypatch.setenv(f"CRYOVIGIL_{name}", value)
    return load()


def refusal(monkeypatch: pytest.MonkeyPatch, **given: str) -> str:
    with pytest.raises(SettingsInvalid) as refused:
        loaded(monkeypatch, **given)
    line = str(refused.value)
    assert "\n" not in line
    return line


def test_the_defaults_are_those_of_the_contract() -> None:
    settings = load()
    # Scripts use these without setting them.
    topics = ("fhir.observation", "fhir.condition", "fhir.treatment", "fhir.patient")
    assert settings.kafka.topics == topics
    assert (settings.http.host, settings.http.port) == ("127.0.0.1", 8080)
    assert settings.ehr.sink == "none"
    assert settings.site.coverage is None


def test_lists_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = loaded(
        monkeypatch,
        KAFKA__TOPICS="lab, conditions,",
        KAFKA__BOOTSTRAP_SERVERS="127.0.0.1:1,localhost:2",
        RULES__DISABLED="hcv-search",
    )
    assert settings.kafka.topics == ("lab", "conditions")
    assert settings.kafka.bootstrap_servers == ("127.0.0.1:1", "localhost:2")
    assert settings.rules.disabled == ("hcv-search",)


def test_an_unknown_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "CRYOVIGIL_KAFKA__TOPIC:" in refusal(monkeypatch, KAFKA__TOPIC="x")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CDS_HOOKS__REQUIRE_JWT", "true"),
        ("CDS_HOOKS__ISSUERS", '[{"issuer": "x"}]'),
        ("CDS_HOOKS__CORS_ORIGINS", '["https://ehr.example"]'),
        ("INTAKE__TOKEN", "x"),
        ("INTAKE__ISSUER", "x"),
        ("INTAKE__TOPIC", "x"),
        ("RULES__REQUIRE_APPROVAL", "true"),
        ("RULES__APPROVALS", "/approvals.yaml"),
        ("IDENTITY__SYSTEMS", "urn:x"),
        ("KAFKA__UNREADABLE_RUN_LIMIT", "100"),
    ],
)
def test_a_setting_whose_feature_is_missing_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    line = refusal(monkeypatch, **{name: value})
    assert line.startswith(f"CRYOVIGIL_{name}: not available")


@pytest.mark.parametrize("sink", ["fhir", "kafka"])
def test_a_sink_that_is_missing_stops_the_start(monkeypatch: pytest.MonkeyPatch, sink: str) -> None:
    assert refusal(monkeypatch, EHR__SINK=sink).startswith("CRYOVIGIL_EHR__SINK: ")


def test_asking_for_nothing_of_a_missing_feature_is_let_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded(monkeypatch, CDS_HOOKS__REQUIRE_JWT="false", CDS_HOOKS__CORS_ORIGINS="[]")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTP__PORT", "canary7"),
        ("EHR__SINK", "canary7"),
        ("DATABASE_URL", "mysql://canary7"),
        ("SITE__TIME_ZONE", "Europe/canary7"),
        ("PUBLIC_URL", "canary7"),
        ("SECRET", "canary7"),
        ("DATABASE_URL", "sqlite:///"),
        # Unescaped, the sign ends the host, and what follows the colon is taken for a port.
        ("DATABASE_URL", "postgresql://user:canary7/x@host/db"),
        ("DATABASE_URL", "postgresql://user:canary7#x@host/db"),
        ("DATABASE_URL", "postgresql://user:canary7?x@host/db"),
        ("DATABASE_URL", "postgresql://user:12/canary7@host/db"),
        ("DATABASE_URL", "postgresql://user:12#canary7"),
        ("DATABASE_URL", "postgresql://user:x@canary7@host/db"),
        ("DATABASE_URL", "postgresql://user:canary7@[::1/db"),
        ("DATABASE_URL", "postgresql://user:canary7@host:port/db"),
        ("DATABASE_URL", "postgresql://user:canary7@host:65536/db"),
        ("EHR__TOKEN", "canary7\u00e9"),
        ("EHR__TOKEN", "canary7\n"),
        ("EHR__TOKEN", " canary7"),
        ("KAFKA__BOOTSTRAP_SERVERS", "localhost:canary7"),
        ("KAFKA__BOOTSTRAP_SERVERS", "localhost:1,localhost:65536"),
        ("KAFKA__BOOTSTRAP_SERVERS", "kafka://canary7:9092"),
        ("KAFKA__BOOTSTRAP_SERVERS", "canary7..example:9092"),
        ("KAFKA__SSL_CA_FILE", "/canary7.pem"),
        ("KAFKA__SSL_CERTIFICATE_FILE", "/canary7.pem"),
        ("KAFKA__SSL_KEY_FILE", "/canary7.pem"),
    ],
)
def test_an_error_never_repeats_what_was_given(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    line = refusal(monkeypatch, **{name: value})
    assert line.startswith(f"CRYOVIGIL_{name}: ")
    assert "canary7" not in line


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:p%2Fa%40s%23s@host:5432/db",
        "postgresql://user:pass@[::1]:5432/db?sslmode=require",
        "postgresql://user:pass@one:5432,two:65535/db",
        "postgresql://user:@/db?host=/run/postgresql",
        "postgresql:///db",
        "sqlite:///some/path.db",
    ],
)
def test_an_address_of_a_database_is_taken_as_its_driver_reads_it(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    assert loaded(monkeypatch, DATABASE_URL=url).database_url.get_secret_value() == url


@pytest.mark.parametrize("servers", ["localhost", "localhost:65535", "[::1]:9092", "::1"])
def test_a_broker_on_this_machine_is_known_as_such(
    monkeypatch: pytest.MonkeyPatch, servers: str
) -> None:
    assert loaded(monkeypatch, KAFKA__BOOTSTRAP_SERVERS=servers).kafka.bootstrap_servers


def test_a_file_of_certificates_that_holds_none_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_text("canary7")
    given = {"KAFKA__SECURITY_PROTOCOL": "SSL", "KAFKA__SSL_CA_FILE": str(tmp_path / "ca.pem")}
    line = refusal(monkeypatch, **given)
    assert line.startswith("CRYOVIGIL_KAFKA__SSL_CA_FILE")
    assert "canary7" not in line


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:0x1/",
        "https://[::1]x/",
        "https://ehr..example/",
        "https://e/\u00e9",
        "https://e/\n",
    ],
)
def test_an_address_that_no_client_could_ask_is_refused(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    line = refusal(monkeypatch, EHR__SINK="cloudevents", EHR__URL=url)
    assert line.startswith("CRYOVIGIL_EHR__URL ")


def test_a_stop_gets_five_seconds_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    assert loaded(monkeypatch, SHUTDOWN_S="5").shutdown_s == 5
    assert refusal(monkeypatch, SHUTDOWN_S="4.9").startswith("CRYOVIGIL_SHUTDOWN_S: ")


def test_a_heartbeat_may_take_a_third_of_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    times = {"KAFKA__SESSION_TIMEOUT_MS": "9000"}
    loaded(monkeypatch, **times, KAFKA__HEARTBEAT_INTERVAL_MS="3000")
    line = refusal(monkeypatch, **times, KAFKA__HEARTBEAT_INTERVAL_MS="3001")
    assert line.startswith("CRYOVIGIL_KAFKA__HEARTBEAT_INTERVAL_MS ")


def test_a_request_outlasts_a_rebalance_by_more_than_five_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # rebalance_timeout + 5 s < request_timeout.
    times = {"KAFKA__REBALANCE_TIMEOUT_MS": "20000"}
    loaded(monkeypatch, **times, KAFKA__REQUEST_TIMEOUT_MS="25001")
    line = refusal(monkeypatch, **times, KAFKA__REQUEST_TIMEOUT_MS="25000")
    assert line.startswith("CRYOVIGIL_KAFKA__REQUEST_TIMEOUT_MS ")


def test_plain_kafka_elsewhere_has_to_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    far = {"KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:9092,kafka.example:9092"}
    assert "KAFKA__SECURITY_PROTOCOL" in refusal(monkeypatch, **far)
    loaded(monkeypatch, **far, KAFKA__ALLOW_PLAINTEXT="true")


def test_an_ehr_without_tls_elsewhere_has_to_be_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    far = {"EHR__SINK": "cloudevents", "EHR__URL": "http://ehr.example/cards"}
    assert "EHR__URL" in refusal(monkeypatch, **far)
    loaded(monkeypatch, **far, EHR__ALLOW_HTTP="true")


def test_an_ehr_without_tls_on_this_machine_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded(monkeypatch, EHR__SINK="cloudevents", EHR__URL="http://127.0.0.1:1/cards")


def test_a_sink_needs_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(monkeypatch, EHR__SINK="file").startswith("CRYOVIGIL_EHR__URL ")


def test_open_http_elsewhere_has_to_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "HTTP__HOST" in refusal(monkeypatch, HTTP__HOST="0.0.0.0")  # noqa: S104
    loaded(monkeypatch, HTTP__ALLOW_UNAUTHENTICATED="true")


def test_an_unknown_language_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(monkeypatch, SITE__LANGUAGE="fr").startswith("CRYOVIGIL_SITE__LANGUAGE: ")


def test_settings_come_from_mounted_files_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "CRYOVIGIL_SECRET").write_text("from a file, quite long\n")
    (tmp_path / "CRYOVIGIL_EHR__TOKEN").write_text("token of a file\n")
    settings = loaded(monkeypatch, SECRETS_DIR=str(tmp_path), EHR__TOKEN="of the environment")
    assert settings.secret is not None
    assert settings.ehr.token is not None
    assert settings.secret.get_secret_value() == "from a file, quite long"
    assert settings.ehr.token.get_secret_value() == "of the environment"


def test_an_unknown_mounted_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "CRYOVIGIL_SECRETS").write_text("x")
    assert "CRYOVIGIL_SECRETS:" in refusal(monkeypatch, SECRETS_DIR=str(tmp_path))


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = loaded(
        monkeypatch,
        SECRET="canary7-canary7-canary7",
        DATABASE_URL="postgresql://u:canary7@h/d",
        EHR__TOKEN="canary7",
    )
    assert "canary7" not in repr(settings)


def test_every_setting_is_described_with_its_default() -> None:
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
    rows = re.findall(r"^\| `(CRYOVIGIL_\w+)` \| (?:`([^`]*)` )?\|", page, re.MULTILINE)
    assert dict(rows) == dict(_defaults(Settings()))
    assert len(rows) == len(known_names())


def _defaults(part: BaseModel, prefix: str = "CRYOVIGIL_") -> Iterator[tuple[str, str]]:
    """Each setting with its default as an operator would write it."""
    for name in type(part).model_fields:
        value = getattr(part, name)
        if isinstance(value, Part):
            yield from _defaults(value, f"{prefix}{name.upper()}__")
            continue
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        text = ",".join(value) if isinstance(value, tuple) else str(value)
        written = {"None": "", "True": "true", "False": "false"}.get(text, text)
        yield f"{prefix}{name.upper()}", written


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.2", True),
        ("::1", True),
        ("127.evil.example", False),  # a name, wherever it leads
        ("128.0.0.1", False),
        ("", False),
    ],
)
def test_only_this_machine_is_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_an_ipv6_address_stands_in_brackets_in_links() -> None:
    assert base_url("::1", 8080) == "http://[::1]:8080"
    assert base_url("127.0.0.1", 8080) == "http://127.0.0.1:8080"
