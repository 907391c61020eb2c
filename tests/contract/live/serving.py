"""A service of the chassis, served in a thread beside the test."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from chassis import Service
from tests.brokers.servers.ports import answers
from tests.waiting import wait_until

SECONDS = 30


@contextmanager
def serving(service: Service, port: int) -> Iterator[None]:
    server = uvicorn.Server(uvicorn.Config(service.app, port=port, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_until("the service", lambda: answers(port), SECONDS)
        yield
    finally:
        server.should_exit = True
        thread.join(SECONDS)
