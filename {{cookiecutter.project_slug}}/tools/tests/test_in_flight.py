from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

from workspace.in_flight import complete


class Rang(BaseModel):
    version: ClassVar[int] = 1

    @property
    def subject(self) -> str:
        return "bell"


class RangAgain(Rang):
    topic: ClassVar[str] = "rang"
    version: ClassVar[int] = 2


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "in_flight.toml"
    file.write_text("# Why.\nstruck = [1]\n")
    return file


@pytest.mark.parametrize(
    ("messages", "line"),
    [([Rang], "rang = [1]"), ([Rang, RangAgain], "rang = [1, 2]"), ([RangAgain], "rang = [2]")],
)
def test_a_message_that_is_not_listed_is_added(file: Path, messages: list[Any], line: str) -> None:
    assert complete(messages, file) == [line]
    assert file.read_text() == f"# Why.\nstruck = [1]\n{line}\n"


def test_a_version_is_added_to_those_that_are_listed_and_none_is_taken_away(file: Path) -> None:
    complete([Rang], file)
    assert complete([RangAgain], file) == ["rang = [1, 2]"]
    assert file.read_text() == "# Why.\nstruck = [1]\nrang = [1, 2]\n"


def test_what_is_listed_leaves_the_file_as_it_is(file: Path) -> None:
    complete([Rang], file)
    before = file.read_text()
    assert complete([Rang], file) == []
    assert file.read_text() == before
