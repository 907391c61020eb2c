"""member.toml: what a service in another language says, and what is wrong with it in one line."""

from pathlib import Path

import pytest

from chassis.handlers import Handlers
from workspace import foreign, memberfile
from workspace.errors import StackError
from workspace.memberfile import MemberFile

FILE = MemberFile.model_validate(
    {
        "subscribes": ["trip-booked"],
        "publishes": ["points-expired"],
        "reacts": {"money-paid": ["points-given"]},
        "answers": {"give-points": ["points-given"], "take-points": ["points-taken"]},
        "undoes": {"take-points": "give-points"},
    }
)


def written(folder: Path, content: str) -> Path:
    (folder / "points").mkdir()
    (folder / "points" / memberfile.NAME).write_text(content)
    return folder


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("ready = readyz", "cannot be read as TOML"),
        ('ready = "readyz"', "ready: String should match"),
        ('subscribe = ["money-paid"]', "subscribe: Extra inputs are not permitted"),
        ('subscribes = ["MoneyPaid"]', "subscribes.0: String should match"),
        ("[answers]\ngive-points = []", "answers.give-points: Tuple should have at least 1 item"),
        ("test = []", "test: Tuple should have at least 1 item"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(StackError) as refused:
        memberfile.of("points", written(tmp_path, content))
    assert says in str(refused.value)
    assert str(refused.value).endswith("Correct it there.")
    assert "\n" not in str(refused.value)


def test_a_service_without_the_file_is_one_in_python(tmp_path: Path) -> None:
    assert memberfile.of("points", tmp_path) is None
    assert memberfile.or_chassis("points", tmp_path).ready == "/readyz"


def test_a_service_that_is_neither_is_named_with_both_ways() -> None:
    with pytest.raises(StackError, match=r"no-service, .* pyproject\.toml, .* docs/members\.md"):
        memberfile.require_known("no-service")


def test_it_is_composed_as_a_service_that_does_the_same() -> None:
    service = foreign.compose("points", FILE)
    subscriptions = service.subscriptions
    assert subscriptions.subscribed == {
        *("trip-booked", "money-paid", "give-points", "take-points", "points-dead-letters")
    }
    assert subscriptions.published == {"points-given", "points-dead-letters"}
    assert subscriptions.commands == {"give-points", "take-points"}
    commands: list[Handlers] = list(service.commands)
    (handlers,) = commands
    assert {message.topic for message in service.published} == {"points-expired"}  # type: ignore[attr-defined]
    assert [step.topic for step in handlers] == ["give-points", "take-points"]


def test_a_message_that_nobody_reads_in_python_is_one_class_wherever_it_is_named() -> None:
    first, second = (foreign.compose("points", FILE).published for _ in range(2))
    assert first == second
