"""`workspace processes`: what has not ended, of all initiators that answer."""

import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import TypeAdapter

from workspace.calls import Failure
from workspace.daprfile import App
from workspace.unfinished import Processes, age, print_all, print_one


def process(id: str, age_seconds: int) -> dict[str, Any]:
    return {
        "saga": "trip-requested",
        "id": id,
        "style": "hybrid",
        "state": "retrying",
        "age_seconds": age_seconds,
        "waits_for": ["BookRoom"],
        "cause": "HTTP \x1b[2J 503",
    }


SHOWN: dict[str, Any] = {
    "id": "ada-1",
    "style": "hybrid",
    "state": "running",
    "started_at": "2026-11-27T12:00:00Z",
    "ended_at": None,
    "started": {},
    "steps": [{"event": "RoomBooked", "at": "2026-11-27T12:00:01Z", "reason": None}],
    "retrying": [
        {
            "command": "HoldDeposit",
            "participant": "billing",
            "attempts": 3,
            "since": "2026-11-27T12:00:02Z",
            "cause": "HTTP 503",
            "needs_human": True,
        }
    ],
    "failure": None,
    "undone": [],
}


class Initiator(BaseHTTPRequestHandler):
    """Two pages, of which the second one is gone so often."""

    gone: ClassVar[int]

    def do_GET(self) -> None:
        path = urlsplit(self.path)
        page = parse_qs(path.query).get("page")
        if path.path == "/processes/trip-requested/ada-1":
            self.answer(200, SHOWN)
        elif path.path != "/processes":
            self.answer(404, {"detail": "there is none"})
        elif page is None:
            self.answer(200, {"processes": [process("ada-1", 5)], "next_page": "2"})
        elif type(self).gone:
            type(self).gone -= 1
            self.answer(410, {"detail": "page 2 is gone"})
        else:
            self.answer(200, {"processes": [process("ben-1", 3_725)], "next_page": None})

    def answer(self, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Participant(Initiator):
    def do_GET(self) -> None:
        self.answer(404, {"detail": "Not Found"})


@pytest.fixture
def gone() -> int:
    return 0


@pytest.fixture
def processes(gone: int) -> Iterator[Processes]:
    """Of an initiator, a participant, and an initiator that is down."""

    class Trips(Initiator):
        pass

    Trips.gone = gone
    with socket.create_server(("127.0.0.1", 0)) as probe:
        closed = probe.getsockname()[1]
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), Trips) as trips,
        ThreadingHTTPServer(("127.0.0.1", 0), Participant) as rooms,
    ):
        for server in (trips, rooms):
            Thread(target=server.serve_forever).start()
        yield Processes(
            {
                name: app(name, port)
                for name, port in (
                    ("rooms", rooms.server_port),
                    ("trips", trips.server_port),
                    ("tours", closed),
                )
            }
        )
        for server in (trips, rooms):
            server.shutdown()


def app(name: str, port: int) -> App:
    ports = {"daprHTTPPort": 1, "daprGRPCPort": 2, "metricsPort": 3}
    found: App = TypeAdapter(App).validate_python({"appID": name, "appPort": port, **ports})
    return found


def test_the_oldest_comes_first_and_who_does_not_answer_is_named(processes: Processes) -> None:
    rows, (failure,) = processes.collect({"older": "0s"})
    assert [(row["service"], row["id"]) for row in rows] == [("trips", "ben-1"), ("trips", "ada-1")]
    assert str(failure).startswith("tours does not answer at http://127.0.0.1:")


@pytest.mark.parametrize("gone", [3])
def test_a_list_whose_page_is_gone_is_read_from_its_beginning(processes: Processes) -> None:
    rows, _ = processes.collect({})
    assert sorted(row["id"] for row in rows) == ["ada-1", "ben-1"]


@pytest.mark.parametrize("gone", [99])
def test_a_list_that_never_stands_still_is_a_failure(processes: Processes) -> None:
    _, failures = processes.collect({})
    assert any("changes faster than it can be read" in str(failure) for failure in failures)


def test_a_process_is_shown_by_its_saga_and_id(
    processes: Processes, capsys: pytest.CaptureFixture[str]
) -> None:
    print_one(processes.find("ada-1", "trip-requested"), as_json=False)
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    shown = {name: text for name, text in lines if name in ("service", "step", "retrying")}
    assert shown == {
        "service": "trips",
        "step": "2026-11-27T12:00:01Z RoomBooked",
        "retrying": "HoldDeposit at billing, 3 attempts since 2026-11-27T12:00:02Z, needs a human: "
        "HTTP 503",
    }


def test_a_start_of_an_id_is_not_searched_while_a_service_does_not_answer(
    processes: Processes,
) -> None:
    with pytest.raises(Failure, match="tours does not answer"):
        processes.find("ada", "")


def test_a_process_that_no_service_has_is_a_failure(processes: Processes) -> None:
    # The one that does not answer is asked last.
    with pytest.raises(Failure, match="tours does not answer"):
        processes.find("nobody", "trip-requested")


def test_a_table_shows_what_others_wrote_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    print_all([{"service": "trips", **process("ada-1", 65)}], as_json=False)
    said = capsys.readouterr().out
    assert "1m 5s" in said
    assert "\x1b" not in said


def test_json_is_for_another_program(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"service": "trips", **process("ada-1", 65)}]
    print_all(rows, as_json=True)
    assert json.loads(capsys.readouterr().out) == rows


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0s"), (42, "42s"), (3_725, "1h 2m"), (360_000, "4d 4h")]
)
def test_an_age_has_two_units(seconds: int, shown: str) -> None:
    assert age(seconds) == shown
