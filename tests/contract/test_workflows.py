"""The engine in a real sidecar keeps the contract that the simulated one keeps."""

from pathlib import Path

from tests.brokers.servers.postgresql import PostgreSQL
from tests.contract.profiles import COMPONENT, store
from tests.contract.running import run_live


def test_workflows_on_sqlite_keep_the_contract(installed: Path) -> None:
    run_live(installed, "workflows.py", {COMPONENT: str(store("sqlite"))})


def test_workflows_on_postgresql_keep_the_contract(installed: Path, postgresql: PostgreSQL) -> None:
    environment = {COMPONENT: str(store("postgresql")), **postgresql.environment}
    run_live(installed, "workflows.py", environment)
