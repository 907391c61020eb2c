import json
import logging
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import pytest

from chassis.cloudevents import envelope
from chassis.logs import MAX_LINE, about, configure_logging
from testkit.bank import Deposit

TRACE = "0af7651916cd43dd8448eb211c80319c"
EVENT = envelope(
    Deposit(account="ada"), id="1", source="test", traceparent=f"00-{TRACE}-b7ad6b7169203331-01"
)


@pytest.fixture
def output() -> Iterator[StringIO]:
    with redirect_stdout(StringIO()) as output:
        configure_logging("bank", "INFO")
    yield output
    logging.basicConfig(force=True)


def lines(output: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


def test_a_line_is_json_with_service_level_and_message(output: StringIO) -> None:
    logging.getLogger("test").info("hello %s", "ada")
    (line,) = lines(output)
    assert (line["service"], line["level"], line["message"]) == ("bank", "INFO", "hello ada")


def test_a_line_about_an_event_has_its_subject_and_its_trace(output: StringIO) -> None:
    with about(EVENT):
        logging.getLogger("any.library").warning("inside")
    logging.getLogger("test").info("outside")
    inside, outside = lines(output)
    assert (inside["subject"], inside["trace_id"]) == ("ada", TRACE)
    assert (outside["subject"], outside["trace_id"]) == (None, None)


def test_a_trace_that_cannot_be_read_is_left_out(output: StringIO) -> None:
    with about(EVENT.model_copy(update={"traceparent": "nonsense"})):
        logging.getLogger("test").info("hello")
    assert lines(output)[0]["trace_id"] is None


def test_an_exception_stays_on_its_line(output: StringIO) -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("test").exception("it failed")
    (line,) = lines(output)
    assert "ValueError: two\nlines" in line["exc_info"]


@pytest.mark.parametrize("text", ["x" * 100_000, "\x00" * 20_000, "\U0001f600" * 20_000])
def test_a_line_is_never_too_long_for_a_container_runtime(output: StringIO, text: str) -> None:
    with about(EVENT.model_copy(update={"subject": text, "traceparent": f"00-{text}-0-01"})):
        try:
            raise ValueError(f"{text} the end")
        except ValueError:
            logging.getLogger("test").exception(text, extra={"first": text, "second": [text]})
    (line,) = lines(output)
    assert len(output.getvalue()) <= MAX_LINE
    assert line["exc_info"].startswith("Traceback")
    assert line["exc_info"].endswith("the end")
    assert (line["level"], line["service"], line["trace_id"]) == ("ERROR", "bank", None)


def test_the_level_holds(output: StringIO) -> None:
    logging.getLogger("test").debug("a detail")
    assert lines(output) == []
