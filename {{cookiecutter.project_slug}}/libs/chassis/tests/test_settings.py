"""A wrong setting ends the start with one line."""

import os
import subprocess
import sys

import pytest

from chassis.settings import ServiceSettings, WrongSettings

UNSET = ("DAPR_API_TOKEN", "APP_API_TOKEN", "OTEL_EXPORTER_OTLP_ENDPOINT")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in UNSET:
        monkeypatch.delenv(name, raising=False)


def test_a_log_level_may_be_written_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "info")
    assert ServiceSettings(app_id="bank").log_level == "INFO"


@pytest.mark.parametrize("value", ["", " ", "\n"])
@pytest.mark.parametrize(
    "name",
    [
        field.upper()
        for field in ServiceSettings.model_fields
        if field != "app_id" and "token" not in field
    ],
)
def test_an_empty_setting_is_not_set(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    unset = ServiceSettings(app_id="bank")
    monkeypatch.setenv(name, value)
    assert ServiceSettings(app_id="bank") == unset


@pytest.mark.parametrize("value", ["", " \n"])
def test_an_empty_list_of_a_service_is_not_set(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    class Settings(ServiceSettings):
        app_id: str = "bank"
        stops: frozenset[str] = frozenset({"home"})

    monkeypatch.setenv("STOPS", value)
    assert Settings().stops == {"home"}
    monkeypatch.setenv("STOPS", '["work"]\n')
    assert Settings().stops == {"work"}


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("LOG_LEVEL", "loud", "LOG_LEVEL 'loud': it is none of CRITICAL"),
        ("DAPR_GRPC_PORT", "70000", "DAPR_GRPC_PORT '70000': Input should be"),
        ("RETRY_SECONDS", "inf", "RETRY_SECONDS 'inf': Input should be a finite number"),
        (
            "STEP_TIMEOUT",
            "-PT1M",
            "STEP_TIMEOUT datetime.timedelta(days=-1, seconds=86340): Input should be greater than",
        ),
        ("BULK_DELIVERY", "perhaps", "BULK_DELIVERY 'perhaps': Input should be a valid boolean"),
        ("APP_ID", "Bank", "APP_ID 'Bank': String should match pattern"),
        ("APP_ID", "bank-", "APP_ID 'bank-': String should match pattern"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector", "OTEL_EXPORTER_OTLP_ENDPOINT 'collector': "),
        ("APP_API_TOKEN", "secret\n", "APP_API_TOKEN: it ends in a line end"),
        ("DAPR_API_TOKEN", "", "DAPR_API_TOKEN: it is empty"),
    ],
)
def test_a_wrong_setting_is_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, why: str
) -> None:
    monkeypatch.setenv("APP_ID", "bank")
    monkeypatch.setenv(name, value)
    with pytest.raises(WrongSettings) as ended:
        ServiceSettings()
    (line,) = str(ended.value).splitlines()
    assert line.startswith(f"this service does not start: {why}")
    assert "secret" not in line


@pytest.mark.parametrize(
    "setting", [{"LOG_LEVEL": "loud"}, {"APP_API_TOKEN": "a\n"}, {"STOPS": "no list"}]
)
def test_a_service_with_a_wrong_setting_ends_without_a_traceback(setting: dict[str, str]) -> None:
    code = (
        "import uvicorn\n"
        "def app():\n"
        "    from chassis.settings import ServiceSettings\n"
        "    class Settings(ServiceSettings):\n"
        "        stops: frozenset[str] = frozenset()\n"
        "    Settings(app_id='bank')\n"
        "uvicorn.run(app, factory=True, port=0)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **setting},
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = [line for line in ended.stderr.splitlines() if not line.startswith("INFO:")]
    assert ended.returncode == 1
    assert len(said) == 1
    assert next(iter(setting)).lower() in said[0].lower()


def test_an_empty_endpoint_collects_no_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    from chassis.telemetry import collected

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    assert not collected()
