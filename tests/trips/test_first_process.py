"""In a workspace without the example, the first services of one's own pass checks and tests."""

import shutil
from pathlib import Path

from tests.template.rendering import cookiecutter
from tests.trips.test_new_service import STEPS, TRIPS, new, run


def test_the_first_services_pass_checks_and_tests(template: Path, tmp_path: Path) -> None:
    rendering = cookiecutter(template, tmp_path / "out", project_name="Travel", example="none")
    assert rendering.code == 0, rendering.stdout + rendering.stderr
    folder = rendering.output / "travel"
    shutil.copy(TRIPS / "trips.py", folder / "contracts/src/contracts")
    new(folder, "trips", "--starts", "TripRequested", "--steps", STEPS)
    for participant in ("rooms", "billing", "vouchers"):
        new(folder, participant)
    run(folder, "make", "setup", "derive", "check")
    run(
        folder,
        *("uv", "run", "--no-sync", "pytest", "-q"),
        *("services", "tests/static", "tests/simulation/test_sagas.py"),
    )
