"""Probes beside real sidecars: started one by one, so that a test can have two, or kill one."""

import json
import os
import re
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.brokers.servers.ports import answers, free_port
from tests.waiting import wait_until

READY_SECONDS = 60


@dataclass(frozen=True)
class Bench:
    """What every probe of one suite shares: a workspace, a broker's profile, an environment."""

    workspace: Path
    folder: Path
    broker: str
    environment: Mapping[str, str]
    store: str = "sqlite"

    @property
    def resources(self) -> Path:
        """The workspace's own component files, less what they say of its services and topics."""
        folder = self.folder / "components"
        if not folder.exists():
            folder.mkdir(parents=True)
            source = self.workspace / "components"
            for file in (
                f"pubsub/{self.broker}/pubsub.yaml",
                f"state/{self.store}/statestore.yaml",
            ):
                component = yaml.safe_load((source / file).read_text())
                component.pop("scopes", None)
                metadata = component["spec"]["metadata"]
                component["spec"]["metadata"] = [
                    entry
                    for entry in metadata
                    if not re.search(r"Scopes|[tT]opics$", entry["name"])
                ]
                (folder / Path(file).name).write_text(yaml.safe_dump(component))
            shutil.copy(source / "resiliency.yaml", folder)
            (self.folder / "data").mkdir()
        return folder


class Probe:
    """The app of probe.py and its daprd."""

    def __init__(
        self, bench: Bench, app_id: str, replica: str = "one", keys: str | None = None
    ) -> None:
        self.app_id = app_id
        self._keys = keys or app_id
        self._bench = bench
        self._name = f"{app_id}-{replica}"
        self._log = bench.folder / f"{self._name}.notes"
        self._ports = {name: free_port() for name in ("app", "http", "grpc", "metrics")}
        self._app: subprocess.Popen[bytes] | None = None
        self._daprd: subprocess.Popen[bytes] | None = None

    def start(self) -> "Probe":
        self.start_app()
        self.start_sidecar()
        return self

    def start_sidecar(self) -> None:
        self._daprd = self._run(
            "daprd",
            [
                str(Path(os.environ["DAPR_RUNTIME_PATH"]) / ".dapr" / "bin" / "daprd"),
                *("--app-id", self.app_id, "--app-port", str(self._ports["app"])),
                *("--dapr-http-port", str(self._ports["http"])),
                *("--dapr-grpc-port", str(self._ports["grpc"])),
                *("--metrics-port", str(self._ports["metrics"])),
                *("--dapr-internal-grpc-port", str(free_port())),
                *("--resources-path", str(self._bench.resources)),
                *("--placement-host-address", "", "--scheduler-host-address", ""),
            ],
        )
        wait_until(
            f"{self._name} and its sidecar", self._ready, READY_SECONDS, self._require_no_fatal_line
        )

    def restart_sidecar(self) -> None:
        _end(self._daprd)
        self.start_sidecar()

    def start_app(self) -> None:
        python = self._bench.workspace / ".venv" / "bin" / "python"
        uvicorn = ["-m", "uvicorn", "probe:app", "--port", str(self._ports["app"])]
        self._app = self._run("app", [str(python), *uvicorn])
        wait_until(f"the app of {self._name}", lambda: answers(self._ports["app"]), READY_SECONDS)

    def kill_app(self) -> None:
        assert self._app is not None
        self._app.send_signal(signal.SIGKILL)
        self._app.wait()

    def stop(self) -> None:
        _end(self._daprd)
        _end(self._app)

    def publish(self, **note: Any) -> None:
        """Publish a note through this probe's sidecar; raises `urllib.error.URLError`."""
        self._post(
            f"publish/pubsub/note?metadata.partitionKey={note['key']}",
            _event(note),
            "application/cloudevents+json",
        )

    def publish_all(self, notes: Iterable[Mapping[str, Any]]) -> None:
        """The same with many at once."""
        entries = [
            {
                "entryId": str(position),
                "event": _event(note),
                "contentType": "application/cloudevents+json",
            }
            for position, note in enumerate(notes)
        ]
        self._post("publish/bulk/pubsub/note", entries, "application/json")

    def _post(self, path: str, content: Any, content_type: str) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._ports['http']}/v1.0/{path}",
            json.dumps(content).encode(),
            {"content-type": content_type},
        )
        urllib.request.urlopen(request, timeout=10).close()

    def state(self, key: str) -> Any:
        """What the service has stored under the key, or None."""
        url = f"http://127.0.0.1:{self._ports['http']}/v1.0/state/statestore/{key}"
        with urllib.request.urlopen(url, timeout=5) as response:
            content = response.read()
        return json.loads(content) if content else None

    def measured(self, name: str, **labels: str) -> float:
        """What the sidecar counts under this name, over all samples with these labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._ports['metrics']}", timeout=5) as it:
            lines = it.read().decode().splitlines()
        return sum(
            float(line.rpartition(" ")[2])
            for line in lines
            if line.startswith(f"{name}{{")
            and all(f'{label}="{value}"' in line for label, value in labels.items())
        )

    def notes(self) -> list[tuple[str, int, int]]:
        """What was handled here, in order: key, number, size of the text."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        return [(key, int(number), int(size)) for key, number, size in map(str.split, lines)]

    def numbers(self, key: str | None = None) -> list[int]:
        return [number for each, number, _ in self.notes() if key in (None, each)]

    def dead_letters(self) -> list[dict[str, Any]]:
        url = f"http://127.0.0.1:{self._ports['app']}/dead-letters"
        with urllib.request.urlopen(url, timeout=5) as response:
            letters: list[dict[str, Any]] = json.load(response)["letters"]
        return letters

    @property
    def said(self) -> list[str]:
        """The lines that the app has logged."""
        return (self._bench.folder / f"{self._name}.app.log").read_text().splitlines()

    @property
    def stalled(self) -> Path:
        return self._log.with_suffix(".stalled")

    @property
    def killed(self) -> Path:
        return self._log.with_suffix(".killed")

    def _require_no_fatal_line(self) -> None:
        """Raises `GaveUp` with the lines with which the sidecar gave up."""
        log = self._bench.folder / f"{self._name}.daprd.log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        if fatal := [line for line in lines if "level=fatal" in line]:
            raise GaveUp("\n".join(fatal))

    def _ready(self) -> bool:
        try:
            url = f"http://127.0.0.1:{self._ports['http']}/v1.0/healthz"
            with urllib.request.urlopen(url, timeout=2) as response:
                return bool(response.status == 204)
        except (urllib.error.URLError, OSError):
            return False

    def _run(self, what: str, command: list[str]) -> subprocess.Popen[bytes]:
        with (self._bench.folder / f"{self._name}.{what}.log").open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self._bench.folder,
                env={
                    **os.environ,
                    **self._bench.environment,
                    "PYTHONPATH": str(Path(__file__).parent),
                    "APP_ID": self.app_id,
                    "PROBE_LOG": str(self._log),
                    "PROBE_KEYS": self._keys,
                    "DAPR_HTTP_PORT": str(self._ports["http"]),
                    "DAPR_GRPC_PORT": str(self._ports["grpc"]),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )


def _event(note: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "conformance",
        "type": "note.v1",
        "subject": note["key"],
        "time": datetime.now(UTC).isoformat(),
        "datacontenttype": "application/json",
        "data": note,
    }


def _end(process: subprocess.Popen[bytes] | None) -> None:
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def require_one_clear_line(bench: Bench, app_id: str, match: str) -> None:
    """A sidecar that cannot have its broker ends, with one line that matches."""
    probe = Probe(bench, app_id)
    try:
        with pytest.raises(GaveUp, match=match) as gave_up:
            probe.start()
    finally:
        probe.stop()
    assert len(str(gave_up.value).splitlines()) == 1


class GaveUp(Exception):
    """The sidecar ended itself; its text is the line that says why."""
