"""The workspace is up, whichever services it has: there may be none."""

import socket
from ipaddress import ip_address

import psutil
import pytest

from workspace import ports, processes
from workspace.daprfile import DaprFile
from workspace.stack import PLACEMENT_HEALTH, SCHEDULER_HEALTH


def test_placement_and_scheduler_answer(workspace: DaprFile) -> None:
    assert ports.answers(workspace.placement)
    assert ports.answers(workspace.scheduler)


@pytest.mark.parametrize("service", list(DaprFile().apps))
def test_the_sidecar_of_each_service_answers(workspace: DaprFile, service: str) -> None:
    assert ports.answers(workspace.apps[service].http_port)


#: What listens beyond loopback, as docs/run.md says.
OPEN = {
    # mDNS, by which the sidecars find each other.
    (socket.SOCK_DGRAM, 5353),
    (socket.SOCK_STREAM, PLACEMENT_HEALTH),
    (socket.SOCK_STREAM, SCHEDULER_HEALTH),
}


def test_nothing_listens_beyond_loopback(workspace: DaprFile) -> None:
    found = {
        (process.name(), each.type, each.laddr.ip, each.laddr.port)
        for process in processes.members()
        for each in process.net_connections("inet")
        # A datagram socket has no state.
        if each.laddr and each.status in (psutil.CONN_LISTEN, psutil.CONN_NONE)
    }
    assert {port for _, _, _, port in found} >= {
        port for app in workspace.apps.values() for port in app.ports
    }
    beyond = [each for each in found if not ip_address(each[2]).is_loopback]
    assert [each for each in beyond if (each[1], each[3]) not in OPEN] == []
