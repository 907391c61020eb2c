"""Bring the whole workspace up, and down again."""

import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import psutil
from rich.console import Console

from workspace import (
    launcher,
    memberfile,
    ports,
    processes,
    profiles,
    runtime,
    sidecars,
    streams,
)
from workspace.daprfile import ROOT, App, DaprFile
from workspace.errors import StackError

console = Console(stderr=True, highlight=False)

#: To this machine: through no proxy that the environment names.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))

REDIS_PORT = 6379
PLACEMENT_HEALTH, SCHEDULER_HEALTH = 9111, 9113
#: The process that runs all services: `dapr run`.
SERVICES = "dapr"
START_SECONDS = 90
NO_SERVICE = "dapr.yaml has no service yet: docs/process.md shows how to make one."
# `dapr run` handles no signal until it has started all its apps, or waited a minute for one.
FAILED_START_STOP_SECONDS = 1


def up() -> None:
    """Start what does not run yet, and return when every service is ready.

    Raises `StackError`; what was started until then is stopped.
    """
    already = processes.running()
    if SERVICES in already:
        raise StackError(f"already up: {', '.join(already)}. `make down` stops it.")
    file = DaprFile()
    used = profiles.in_use(file)
    profiles.require_readable(file)
    for app_id in file.apps:
        memberfile.require_known(app_id)
    found = runtime.find()
    ports.require_free(
        {
            port: f"{purpose} of {app.app_id}"
            for app in file.apps.values()
            for port, purpose in (
                (app.app_port, "API"),
                (app.http_port, "sidecar HTTP"),
                (app.grpc_port, "sidecar gRPC"),
                (app.metrics_port, "sidecar metrics"),
            )
        }
    )
    try:
        # The environment of `dapr run` reaches sidecars and apps.
        environment = found.environment | launcher.environment(found, file.apps)
        for profile in used:
            environment |= profile.environment
        _start_servers(found, file, used)
        if file.apps:
            _run_services(found, file, environment)
        else:
            console.print(NO_SERVICE, soft_wrap=True)
    except StackError as error:
        # At once: stopping takes a while.
        console.print(str(error), markup=False, soft_wrap=True)
        down(FAILED_START_STOP_SECONDS)
        raise StackError(f"not up, for the reason above; logs are in {processes.LOGS}") from error
    except BaseException:
        down(FAILED_START_STOP_SECONDS)
        raise


def servers() -> None:
    """Start what `dapr run -f .` needs and none answers for: broker, placement, scheduler.

    Raises `StackError`; what was started until then goes on, and is not started again.
    """
    file = DaprFile()
    found = runtime.find()
    _start_servers(found, file, profiles.in_use(file))
    if found.missing_in_shell:
        console.print(f"`dapr run -f .` needs: {found.missing_in_shell}", soft_wrap=True)


def down(timeout: float = processes.STOP_SECONDS) -> None:
    alive = processes.running()
    console.print(f"stopping: {', '.join(alive) or 'nothing is running'}")
    processes.stop_all(timeout)


@contextmanager
def running() -> Iterator[DaprFile]:
    """The workspace, up for as long as the block runs; left alone if it was up before."""
    if SERVICES in processes.running():
        yield DaprFile()
        return
    up()
    try:
        yield DaprFile()
    finally:
        down()


def _start_servers(
    found: runtime.Runtime, file: DaprFile, used: Sequence[profiles.Profile]
) -> None:
    for profile in used:
        if profile.name == "redis" and profile.address == ("127.0.0.1", REDIS_PORT):
            _ensure("broker", REDIS_PORT, _valkey(), found)
    profiles.require_servers(used)
    if streams.PROFILE in used:
        streams.make(streams.topics())
    _ensure("placement", file.placement, _placement(found, file.placement), found)
    _ensure("scheduler", file.scheduler, _scheduler(found, file.scheduler), found)


def _ensure(name: str, port: int, command: list[str] | None, found: runtime.Runtime) -> None:
    if ports.answers(port):
        console.print(f"{name}: port {port} answers already, taken as it is")
        return
    if command is None:
        raise StackError(
            f"{name}: nothing answers on port {port}, and {found.home}/.dapr/bin has no {name}: "
            "`dapr init` was made with Docker, so start its container, or use a slim install."
        )
    ports.require_free({port: name})
    process = processes.start(name, command, found.environment)
    _wait(f"{name} on port {port}", lambda: ports.answers(port), name, process)


def _run_services(found: runtime.Runtime, file: DaprFile, environment: dict[str, str]) -> None:
    began = time.time()
    run = [str(found.cli), "run", "-f", str(launcher.run_file())]
    process = processes.start(SERVICES, run, environment)

    def ready(app: App) -> bool:
        # `dapr run` goes on without a sidecar that gave up, and the app would wait in vain.
        sidecars.require_none_gave_up(began)
        sidecars.require_no_app_ended(began)
        return _ok(readiness(app))

    for app in file.apps.values():
        _wait(f"{app.app_id} at {readiness(app)}", partial(ready, app), SERVICES, process)


def wait_ready(app: App, process: psutil.Process) -> None:
    """Of an app that was started by itself. Raises `StackError` if it is not in time, or ended."""
    _wait(f"{app.app_id} at {readiness(app)}", partial(_ok, readiness(app)), app.app_id, process)


def readiness(app: App) -> str:
    """Where it is asked, of a service in any language."""
    return f"{app.url}{memberfile.or_chassis(app.app_id).ready}"


def _wait(what: str, is_up: Callable[[], bool], name: str, process: psutil.Process) -> None:
    began = time.monotonic()
    with console.status(f"{what}: starting"):
        while not is_up():
            processes.require_alive(name, process)
            if time.monotonic() - began > START_SECONDS:
                raise StackError(
                    f"{what} was not ready within {START_SECONDS} s; logs are in "
                    f"{processes.LOGS} and {ROOT / '.dapr' / 'logs'}.\n"
                    f"{processes.tail(processes.LOGS / f'{name}.log')}"
                )
            time.sleep(0.1)
    console.print(f"{what}: ready after {time.monotonic() - began:.1f} s")


def _ok(url: str) -> bool:
    try:
        with DIRECT.open(url, timeout=2) as response:
            return bool(200 <= response.status < 300)
    except (urllib.error.URLError, OSError):
        return False


def _valkey() -> list[str]:
    data = str(processes.RUN / "valkey")
    return [sys.executable, "-m", "workspace.broker", str(REDIS_PORT), data]


def _placement(found: runtime.Runtime, port: int) -> list[str] | None:
    # Their health and metrics ports default to the same ones. All ports that we choose are below
    # 32768: above, an outgoing connection may hold one.
    ports = ("--healthz-port", str(PLACEMENT_HEALTH), "--metrics-port", "9112")
    return _control_plane(found, "placement", port, *ports)


def _scheduler(found: runtime.Runtime, port: int) -> list[str] | None:
    data = str(processes.RUN / "scheduler")
    return _control_plane(
        found,
        "scheduler",
        port,
        *("--healthz-port", str(SCHEDULER_HEALTH), "--metrics-port", "9114"),
        *("--etcd-data-dir", data),
    )


def _control_plane(found: runtime.Runtime, name: str, port: int, *flags: str) -> list[str] | None:
    binary = found.binary(name)
    if binary is None:
        return None
    # Their health ports stay on all addresses: Dapr 1.18.2 ignores --healthz-listen-address.
    local = [f"--{which}listen-address={launcher.LOOPBACK}" for which in ("", "metrics-")]
    return [str(binary), "--port", str(port), *local, *flags]
