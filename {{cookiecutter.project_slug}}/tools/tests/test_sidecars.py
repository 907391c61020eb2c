"""What a sidecar says of a component that it will never have ends the start."""

from pathlib import Path

import pytest

from workspace import sidecars
from workspace.errors import StackError

# Lines of daprd 1.18.2.
GAVE_UP = (
    'time="2026-11-24T16:01:20Z" level=fatal msg="Fatal error from runtime: '
    "[INIT_COMPONENT_FAILURE]: initialization error occurred for pubsub (pubsub.redis/v1): "
    'dial \\"redis\\": refused" app_id=bank instance=vm type=log ver=unknown\n'
)
NOT_UNDERSTOOD = (
    'time="2026-11-24T16:03:11Z" level=warning msg="daprd load Component error when parsing '
    "manifests yaml resource in /w/components/state/sqlite/statestore.yaml: error unmarshaling "
    'JSON: while decoding JSON: json: cannot unmarshal array" app_id=bank instance=vm\n'
)
HARMLESS = (
    'time="2026-11-24T16:03:11Z" level=warning msg="mTLS is disabled. Skipping certificate '
    'request and tls validation" app_id=bank instance=vm\n'
)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sidecars, "LOGS", tmp_path)
    return tmp_path / "bank_daprd_20261124160311.log"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (GAVE_UP, r'the sidecar of bank gave up: .*dial "redis": refused'),
        (NOT_UNDERSTOOD, r"bank does not understand /w/components/state/sqlite/statestore.yaml"),
    ],
)
def test_the_line_and_its_log_are_named(log: Path, line: str, says: str) -> None:
    log.write_text(HARMLESS + line)
    with pytest.raises(StackError, match=says) as refusal:
        sidecars.require_none_gave_up(since=0)
    assert str(refusal.value).endswith(str(log))


def test_other_warnings_and_the_logs_of_an_earlier_start_are_no_trouble(log: Path) -> None:
    log.write_text(HARMLESS)
    sidecars.require_none_gave_up(since=0)
    log.write_text(GAVE_UP)
    sidecars.require_none_gave_up(since=log.stat().st_mtime + 1)


def test_an_app_that_ended_by_itself_is_named_with_what_it_said(log: Path) -> None:
    log = log.with_name("ledger_app_20261124171938.log")
    log.write_text(
        'ERROR:    Error loading ASGI app. Could not import module "ledgr.main".\n'
        "\nX  The App process exited with error code: exit status 1\n"
    )
    with pytest.raises(StackError, match="ledger ended, exit status 1") as refusal:
        sidecars.require_no_app_ended(since=0)
    assert 'Could not import module "ledgr.main"' in str(refusal.value)
    log.write_text("Application startup complete.\n")
    sidecars.require_no_app_ended(since=0)
