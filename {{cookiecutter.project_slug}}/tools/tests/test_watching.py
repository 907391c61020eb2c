"""A change restarts the apps that run what has changed, and no other."""

from pathlib import Path

import pytest

from workspace.watching import affected

ROOT = Path("/workspace")


@pytest.mark.parametrize(
    ("changed", "restarted"),
    [
        ("services/bank/src/bank/domain.py", ["bank"]),
        ("services/loyalty-points/server.js", ["loyalty-points"]),
        ("contracts/src/contracts/bank.py", ["bank", "loyalty-points"]),
        ("libs/chassis/src/chassis/inbox.py", ["bank", "loyalty-points"]),
        ("services/bank/tests/test_domain.py", []),
        ("services/bank/README.md", []),
        ("services/README.md", []),
        ("services/notes.txt", []),
        ("services/bank-of-another/src/x.py", []),
    ],
)
def test_a_change_restarts_who_runs_it(changed: str, restarted: list[str]) -> None:
    assert [*affected(["bank", "loyalty-points"], [ROOT / changed], ROOT)] == restarted
