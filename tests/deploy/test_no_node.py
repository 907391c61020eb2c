"""Where no cluster can be had, `make test-kubernetes` says so and fails."""

import os

import pytest

from runtime.failure import Failure
from tests.deploy.kubernetes.running import __main__ as running


def test_without_root_it_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert running.main() == 1
    assert "a node needs Linux and root" in capsys.readouterr().err


def test_without_its_programs_it_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def prepare(_: object) -> None:
        raise Failure("build kubelet", "no module proxy", "give Go its module proxy")

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(running, "prepare", prepare)
    monkeypatch.setattr(running, "_forget_cgroups", lambda: None)
    assert running.main() == 1
    assert "build kubelet: no module proxy" in capsys.readouterr().err
