"""Tokens are made once, for this user's eyes only, and an environment that has its own wins."""

import stat
from pathlib import Path

import pytest

from workspace import tokens
from workspace.errors import StackError


@pytest.fixture(autouse=True)
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (tokens.API_TOKEN, tokens.APP_TOKEN):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tokens, "ENV", tmp_path / ".env")
    return tmp_path / ".env"


def test_the_file_is_for_its_owner_only_and_made_once(env: Path) -> None:
    assert tokens.make(running=list)
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    made = tokens.read()
    assert not tokens.make(running=list)
    assert tokens.read() == made


def test_each_token_is_random_and_of_its_own(env: Path) -> None:
    tokens.make(running=list)
    first = tokens.read()
    env.unlink()
    tokens.make(running=list)
    assert len({*first.values(), *tokens.read().values()}) == 4
    assert all(len(token) == 64 for token in first.values())


def test_without_the_file_there_are_no_tokens() -> None:
    assert tokens.read() == {}
    assert tokens.app_headers() == {}


def test_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens.make(running=list)
    monkeypatch.setenv(tokens.APP_TOKEN, "from outside")
    assert tokens.read()[tokens.APP_TOKEN] == "from outside"
    assert tokens.app_headers() == {tokens.HEADER: "from outside"}


def test_a_line_of_another_form_is_named(env: Path) -> None:
    env.write_text("# comment\n\nAPP_API_TOKEN\n")
    with pytest.raises(StackError, match=r"\.env:3 is not NAME=value"):
        tokens.read()


def test_no_new_tokens_are_made_while_services_run_with_others(env: Path) -> None:
    with pytest.raises(StackError, match="broker, dapr run with the tokens that it held"):
        tokens.make(running=lambda: ["broker", "dapr"])
    assert not env.exists()
    assert tokens.make(running=list)
    assert env.exists()


def test_a_token_with_a_line_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(tokens.APP_TOKEN, "secret\n")
    with pytest.raises(StackError, match=f"{tokens.APP_TOKEN} ends in a line end") as refusal:
        tokens.app_headers()
    assert "secret" not in str(refusal.value)
