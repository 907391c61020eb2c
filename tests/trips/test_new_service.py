"""`workspace new-service`: what it makes fits into a workspace and passes every check."""

import json
import os
import re
import shutil
import subprocess
import urllib.request
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.template.rendering import cookiecutter, tree
from tests.waiting import wait_until

#: What is written by hand of "book a trip": the messages, and a patch of what was made.
TRIPS = Path(__file__).parent / "by_hand"
#: What such a process may cost, tests apart.
MOST_LINES = 200
STEPS = "BookRoom/FreeRoom@rooms ChargeCard/RefundCard@billing SendVoucher@vouchers"
DETAILS: dict[str, Any] = {"guest": "ada", "card": "ada", "hotel": "ritz", "nights": 2}
URL = "http://localhost:8005/trips"
END_SECONDS = 30


@pytest.fixture(scope="module")
def folder(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with trips, rooms, billing, vouchers and a listener, as docs/process.md says."""
    rendering = cookiecutter(template, tmp_path_factory.mktemp("trips") / "out")
    assert rendering.code == 0, rendering.stdout + rendering.stderr
    folder = rendering.output / "order-fulfilment"
    shutil.copy(TRIPS / "trips.py", folder / "contracts/src/contracts")
    run(folder, "uv", "sync", "--quiet")
    new(folder, "trips", "--starts", "TripRequested", "--steps", STEPS)
    for participant in ("rooms", "billing", "vouchers"):
        new(folder, participant)
    new(folder, "notices", "--on", "OrderConfirmed", "--on", "OrderCancelled")
    run(folder, "git", "apply", str(TRIPS / "rules.patch"))
    run(folder, "make", "setup", "derive")
    return folder


def new(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(folder, "uv", "run", "--quiet", "workspace", "new-service", *arguments)


def run(folder: Path, *command: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == code, f"{' '.join(command)}:\n{done.stdout}{done.stderr}"
    return done


def test_a_process_costs_few_lines_by_hand() -> None:
    patch = (TRIPS / "rules.patch").read_text()
    added = re.findall(r"^\+(?!\+\+ )", patch, re.MULTILINE)
    assert len((TRIPS / "trips.py").read_text().splitlines()) + len(added) <= MOST_LINES


def test_the_guide_shows_what_is_built(folder: Path) -> None:
    guide = (folder / "docs/process.md").read_text()
    built = (TRIPS / "trips.py").read_text()
    built += (folder / "services/billing/src/billing/domain.py").read_text()
    parts = [
        part
        for block in re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
        for part in block.strip().split("\n\n\n")
    ]
    assert parts
    assert [part for part in parts if part not in built] == []
    assert STEPS in guide


def test_what_is_made_passes_lint_formatting_dependencies_and_types(folder: Path) -> None:
    run(folder, "make", "check")


def test_what_is_made_passes_its_tests_and_those_of_each_service_and_saga(folder: Path) -> None:
    made = [f"services/{name}" for name in ("trips", "rooms", "billing", "vouchers", "notices")]
    static = ["dependencies", "image", "in_flight", "sagas", "derived", "compose", "bounds"]
    run(
        folder,
        *("uv", "run", "--no-sync", "pytest", "-q", *made),
        *(f"tests/static/test_{name}.py" for name in static),
        *("tests/simulation/test_sagas.py", "-k", "not order-placed"),
    )


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["Fraud"], "cannot name a service"),
        (["rooms"], "there is a service rooms already"),
        (["fraud"], 'no saga has a step at "fraud"'),
        (["fraud", "--on", "OrderEaten"], "contracts has no message OrderEaten"),
        (["fraud", "--starts", "TripRequested", "--steps", "BookRoom"], "'BookRoom' is no step"),
    ],
)
def test_what_cannot_be_made_is_refused_in_a_line_and_changes_nothing(
    folder: Path, arguments: list[str], why: str
) -> None:
    before = tree(folder / "services"), (folder / "dapr.yaml").read_text()
    refused = run(folder, "uv", "run", "--quiet", "workspace", "new-service", *arguments, code=1)
    assert why in refused.stderr
    assert (tree(folder / "services"), (folder / "dapr.yaml").read_text()) == before


def test_where_it_cannot_be_added_to_the_run_file_nothing_is_left_of_it(folder: Path) -> None:
    files = [folder / name for name in ("dapr.yaml", "pyproject.toml")]
    apps = files[0].read_text()
    files[0].write_text(apps + "# The end.\nversions: {}\n")
    before = tree(folder / "services"), [file.read_text() for file in files]
    try:
        refused = run(
            folder,
            *("uv", "run", "--quiet", "workspace", "new-service", "fraud", "--on", "TripBooked"),
            code=1,
        )
        assert "does not end with its list of apps" in refused.stderr
        assert (tree(folder / "services"), [file.read_text() for file in files]) == before
    finally:
        files[0].write_text(apps)


def test_trips_are_booked_and_cancelled_on_real_sidecars_in_each_style(folder: Path) -> None:
    # Those of the example take as long to start again.
    run_file = folder / "dapr.yaml"
    run_file.write_text(
        re.sub(r"  - appID: orders\n.*?(?=  - appID: trips)", "", run_file.read_text(), flags=re.S)
    )
    run(folder, "make", "derive", "up")
    try:
        begun = {
            (style, cents): post(style, cents)
            for style in ("choreography", "orchestration", "hybrid")
            for cents in (100, 1_000_00)
        }
        for (style, cents), trip in begun.items():
            seen: dict[str, Any] = {}
            wait_until(f"the end of a trip in {style}", partial(ended, trip, seen), END_SECONDS)
            if cents == 100:
                assert seen["state"] == "completed"
            else:
                assert (seen["state"], seen["undone"]) == ("cancelled", ["RoomFreed"])
                assert seen["failure"]["step"] == "ChargeCard"
    finally:
        run(folder, "make", "down")


def post(style: str, night_cents: int) -> str:
    body = {"style": style, "details": DETAILS | {"night_cents": night_cents}}
    request = urllib.request.Request(
        URL, json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return str(json.load(response)["trip"])


def ended(trip: str, seen: dict[str, Any]) -> bool:
    with urllib.request.urlopen(f"{URL}/{trip}", timeout=10) as response:
        seen.update(json.load(response))
    return bool(seen["state"] != "running")
