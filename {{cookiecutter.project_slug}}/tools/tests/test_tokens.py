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
    assert tokens.of("shop") == {}
    assert tokens.app_headers("shop") == {}


def test_each_service_has_tokens_of_its_own() -> None:
    tokens.make(running=list)
    known = {name: tokens.of(name) for name in ("shop", "bank")}
    assert known == {name: tokens.of(name) for name in known}
    assert tokens.app_headers("shop") == {tokens.HEADER: known["shop"][tokens.APP_TOKEN]}
    every = [*tokens.read().values(), *(each for own in known.values() for each in own.values())]
    assert len(set(every)) == 6


@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_token_is_refused(empty: str, env: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env.write_text(f"{tokens.APP_TOKEN}='{empty}'\n")
    with pytest.raises(StackError, match="APP_API_TOKEN is empty"):
        tokens.of("shop")
    monkeypatch.setenv(tokens.API_TOKEN, empty)
    env.unlink()
    with pytest.raises(StackError, match="DAPR_API_TOKEN is empty"):
        tokens.of("shop")


def test_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens.make(running=list)
    monkeypatch.setenv(tokens.APP_TOKEN, "from outside")
    assert tokens.read()[tokens.APP_TOKEN] == "from outside"
    for app_id in ("shop", "bank"):
        assert tokens.app_headers(app_id) == {tokens.HEADER: "from outside"}


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
        tokens.app_headers("shop")
    assert "secret" not in str(refusal.value)
