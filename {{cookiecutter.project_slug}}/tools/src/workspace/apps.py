"""One app of the running stack, by itself.

Its sidecar goes on, and with it what waits for the app: a message that the app does not acknowledge
is delivered again, for as long as the retries of components/resiliency.yaml last.
"""

import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

import psutil
from rich.console import Console

from workspace import memberfile, ports, processes, stack, tokens
from workspace.daprfile import ROOT, App, DaprFile
from workspace.errors import StackError, UnknownName

console = Console(stderr=True, highlight=False)

#: As long as `dapr.yaml` gives uvicorn to end what it has begun, and some more.
STOP_SECONDS = 15.0


def named(name: str) -> App:
    """Raises `UnknownName`; `StackError` while the stack is not up."""
    apps = DaprFile().apps
    if name not in apps:
        raise UnknownName(name, apps)
    if stack.SERVICES not in processes.running():
        raise StackError("the workspace is not up. `make up` starts it.")
    return apps[name]


def restart(app: App) -> None:
    """With the code and the dapr.yaml of now, ready when it returns. Raises `StackError`."""
    stop(app)
    start(app)


def stop(app: App) -> None:
    """Nothing, if it has ended already."""
    running = _processes(app)
    for process in running:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(running, timeout=STOP_SECONDS)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=STOP_SECONDS)


def start(app: App) -> None:
    """In the background; `make down` stops it. Raises `StackError` if it does not get ready."""
    ports.require_free({app.app_port: f"API of {app.app_id}"})
    process = processes.start(app.app_id, app.command, environment(app))
    stack.wait_ready(app, process)


def debug(app: App) -> None:
    """Run it in the foreground, until it ends or Ctrl-C; then in the background again."""
    stop(app)
    console.print(f"{app.app_id}: in the foreground. Ctrl-C puts it back.", soft_wrap=True)
    process = subprocess.Popen(_command(app), cwd=ROOT, env=environment(app))
    try:
        process.wait()
    except KeyboardInterrupt:
        # The terminal has interrupted the app as well; another sender has not.
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
    finally:
        process.kill()
        process.wait()
        start(app)


def environment(app: App) -> dict[str, str]:
    """What `dapr run` gives it: its own environment, and what dapr.yaml says of the app."""
    runs = processes.leader(stack.SERVICES)
    return {
        **runs.environ(),
        "APP_ID": app.app_id,
        "APP_CHANNEL_ADDRESS": "",
        "APP_PORT": str(app.app_port),
        "APP_PROTOCOL": "http",
        "DAPR_HTTP_PORT": str(app.http_port),
        "DAPR_GRPC_PORT": str(app.grpc_port),
        "DAPR_METRICS_PORT": str(app.metrics_port),
        **DaprFile().env,
        **app.env,
        # `dapr run` gives all of its apps one environment, so make up names these app by app.
        **tokens.of(app.app_id),
    }


def _command(app: App) -> Sequence[str]:
    """By the interpreter, if it is in Python: a debugger follows that one, and no shell."""
    if memberfile.of(app.app_id) is not None:
        return app.command
    return [sys.executable, "-m", "uvicorn", *app.arguments]


def _processes(app: App) -> list[psutil.Process]:
    """Those of the stack that listen on its port, whoever started them."""
    return [process for process in processes.members() if listens(process, app.app_port)]


def listens(process: psutil.Process, port: int) -> bool:
    with suppress(psutil.Error):
        return any(
            each.laddr and each.laddr.port == port and each.status == psutil.CONN_LISTEN
            for each in process.net_connections("inet")
        )
    return False
