"""Two real sidecars keep the contract of service invocation that the simulated call keeps."""

from pathlib import Path

from tests.contract.running import run_live


def test_sidecars_keep_the_contract_of_service_invocation(installed: Path) -> None:
    run_live(installed, "invocation.py", {})
