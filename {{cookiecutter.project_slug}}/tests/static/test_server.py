"""How uvicorn serves a service: one process, on IPv4 and on IPv6."""

import asyncio
import json
import re
import socket
from importlib import import_module

import pytest
from uvicorn import Config

from workspace.daprfile import ROOT, DaprFile


def test_a_service_is_one_process_whatever_web_concurrency_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in DaprFile().env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    command = import_module("uvicorn.main").main
    given = command.make_context("uvicorn", ["bank.main:app"], auto_envvar_prefix="UVICORN")
    assert Config("bank.main:app", workers=given.params["workers"]).workers == 1


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
async def test_an_image_listens_on_ipv4_and_on_ipv6() -> None:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    (found,) = re.findall(r"^CMD (\[.*\])$", dockerfile, re.MULTILINE)
    command = json.loads(found)
    host = command[command.index("--host") + 1]
    server = await asyncio.start_server(lambda *_: None, host, 0)
    async with server:
        families = {each.family for each in server.sockets}
    assert families == {socket.AF_INET, socket.AF_INET6}
