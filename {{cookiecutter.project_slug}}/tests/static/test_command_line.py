"""What `workspace` runs of this folder takes known names only, before anything starts."""

import pytest
from typer.testing import CliRunner

from testkit.faults.catalogue import FAULTS
from workspace.cli import app

STYLES = "choreography, orchestration, hybrid"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("faults --only no-fault", f"there is no fault no-fault; there are {', '.join(FAULTS)}"),
        ("faults --style no-style", f"there is no style no-style; there are {STYLES}"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_known(wrong: str, said: str) -> None:
    result = CliRunner().invoke(app, wrong.split())
    assert result.exit_code == 2
    assert said in result.stderr
