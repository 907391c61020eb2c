"""The release archives on loopback, and every way in which a server can let one down."""

import hashlib
import io
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from runtime import pins
from runtime.record import PLATFORMS
from tests.runtime.machine import program, version_of

PAUSE = 0.05


def packed(name: str, content: str) -> bytes:
    """A .tar.gz with one executable."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content.encode())
        archive.addfile(member, io.BytesIO(content.encode()))
    return buffer.getvalue()


class Mirror:
    """Serves `files` by name; `fault` says what happens to the archive of placement."""

    def __init__(self) -> None:
        self.fault = ""
        self.files: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.closing = threading.Event()
        for name in pins.BINARIES:
            self.add(name, packed(name, program(version_of(name))))
        for platform in PLATFORMS:
            for name in pins.BINARIES:
                # The archives of other machines nobody asks for.
                checksum = f"{name}_{'_'.join(platform)}.tar.gz.sha256"
                self.files.setdefault(
                    checksum, hashlib.sha256(checksum.encode()).hexdigest().encode()
                )
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                mirror.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                """Silent: pytest would show it as noise."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(PAUSE,), daemon=True).start()

    def add(self, name: str, archive: bytes) -> None:
        self.files[self.file(name)] = archive
        checksum = f"{hashlib.sha256(archive).hexdigest()}  {self.file(name)}\n"
        self.files[f"{self.file(name)}.sha256"] = checksum.encode()

    @staticmethod
    def file(name: str) -> str:
        system, architecture = pins.target()
        return f"{name}_{system}_{architecture}.tar.gz"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.requests.append(request.path)
        folder, _, file = request.path.rpartition("/")
        project, version = (
            ("cli", pins.CLI_VERSION)
            if file.startswith("dapr_")
            else ("dapr", pins.RUNTIME_VERSION)
        )
        fault = self.fault if file == self.file("placement") else ""
        body = self.files.get(file)
        where = f"/dapr/{project}/releases/download/v{version}"
        if body is None or fault == "missing" or folder != where:
            request.send_error(404)
            return
        if fault == "silent":
            self.closing.wait()
            return
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if fault == "trickling":
            for byte in body:
                request.wfile.write(bytes([byte]))
                if self.closing.wait(PAUSE):
                    return
            return
        half = len(body) // 2
        request.wfile.write(body[:half])
        if fault == "broken":
            return
        if fault == "stalled":
            self.closing.wait()
            return
        request.wfile.write(body[half:])

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
