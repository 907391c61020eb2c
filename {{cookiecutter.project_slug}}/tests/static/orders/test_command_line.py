"""What this process adds to the command line takes only what makes sense."""

from typer.testing import CliRunner

from workspace.cli import app


def test_a_demo_of_no_orders_is_wrong_usage() -> None:
    result = CliRunner().invoke(app, ["demo", "--orders", "0"])
    assert result.exit_code == 2
    assert "greater than or equal to 1" in result.stderr
