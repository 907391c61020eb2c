"""One more service: its name, its ports, its place in the workspace, and the code that is made."""

import shutil
import tomllib
from pathlib import Path

import pytest

from chassis.messages import Message
from chassis.saga import Saga
from testkit import trips
from workspace.daprfile import ROOT, DaprFile
from workspace.errors import StackError
from workspace.newservice import enlist, initiator, participant
from workspace.newservice.code import make
from workspace.newservice.names import check

APPS = [
    (saga, at)
    for saga in (trips.TRIP, trips.TOUR)
    for at in sorted({each.at for each in saga.steps})
]
MESSAGES: list[type[Message]] = [
    trips.TripRequested,
    *trips.TRIP.commands,
    *trips.TRIP.replies,
    *trips.TRIP.ends,
]


@pytest.fixture
def run_file(tmp_path: Path) -> Path:
    return Path(shutil.copy(ROOT / "dapr.yaml", tmp_path))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return Path(shutil.copy(ROOT / "pyproject.toml", tmp_path))


@pytest.mark.parametrize(
    "name",
    ["Fraud", "fraud_check", "1st", "a" * 41, "", "../fraud", "class", "email", "dapr", "tests"],
)
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(StackError):
        check(name)


@pytest.mark.parametrize("name", list(DaprFile().apps))
def test_the_name_of_a_service_is_refused(name: str) -> None:
    with pytest.raises(StackError, match="already"):
        check(name)


def test_an_app_gets_the_next_ports_that_are_free(run_file: Path) -> None:
    first = enlist.run_file("fraud-check", {}, run_file)
    second = enlist.run_file("bells", {"DEFAULT_STYLE": "hybrid"}, run_file)
    apps = DaprFile(run_file).apps
    assert second == first + 1
    last = second % 100
    assert apps["bells"].ports == (second, 3500 + last, 3600 + last, 9100 + last)
    assert "--factory fraud_check.main:app --port 80" in run_file.read_text()
    assert run_file.read_text().endswith('    env:\n      DEFAULT_STYLE: "hybrid"\n')


def test_a_run_file_that_does_not_end_with_its_apps_stays_as_it_is(run_file: Path) -> None:
    before = run_file.read_text() + "version: 1\n"
    run_file.write_text(before)
    with pytest.raises(StackError, match="Add to that list"):
        enlist.run_file("bells", {}, run_file)
    assert run_file.read_text() == before


def test_a_service_is_installed_checked_and_kept_apart_from_others(project: Path) -> None:
    enlist.project("fraud-check", project)
    content = tomllib.loads(project.read_text())
    assert content["project"]["dependencies"][-1] == "fraud-check"
    assert content["tool"]["uv"]["sources"]["fraud-check"] == {"workspace": True}
    assert content["tool"]["mypy"]["packages"][-2:] == ["fraud_check", "services.fraud-check.tests"]
    assert content["tool"]["importlinter"]["root_packages"][-1] == "fraud_check"
    assert "fraud_check | " in content["tool"]["importlinter"]["contracts"][0]["layers"][0]


def test_a_project_of_another_form_is_left_alone_with_what_to_add(project: Path) -> None:
    before = project.read_text().replace("root_packages = [", "root_packages = [ # all\n")
    before = before.replace("\nlayers = [", "\nlayers = [\n")
    project.write_text(before)
    with pytest.raises(StackError, match="add bells to the layers"):
        enlist.project("bells", project)
    assert project.read_text() == before


@pytest.mark.parametrize(("saga", "at"), APPS)
def test_a_participant_handles_its_commands_and_reacts_as_declared(saga: Saga, at: str) -> None:
    files = participant.files(at, at, [saga], "trip")
    for path, text in files.items():
        if path.endswith(".py"):
            compile(text, path, "exec")
    for command, step in saga.commands.items():
        named = f".on({command.__name__}"
        assert (named in files[f"src/{at}/commands.py"]) is (step.at == at)


def test_what_an_event_does_not_carry_is_left_to_write() -> None:
    files = participant.files("billing", "billing", [trips.TRIP], "trip")
    text = files["src/billing/choreography.py"]
    assert "ReturnDeposit needs room, which PaymentRefused does not carry" in text


def test_what_follows_several_events_is_left_to_write() -> None:
    made = [participant.files(at, at, [trips.TOUR], "trip") for _, at in APPS if _ is trips.TOUR]
    texts = [text for files in made for text in files.values()]
    assert any("follows several events: note which of them have come" in text for text in texts)


def test_a_field_that_only_a_rule_knows_gets_a_stand_in() -> None:
    assert make(trips.VoucherSent, trips.SendVoucher, "command") == (
        "VoucherSent(trip=command.trip, voucher='')"
    )


def test_the_one_field_of_all_messages_is_the_id_of_a_process() -> None:
    assert initiator.subject_of(trips.TripRequested, MESSAGES) == "trip"
