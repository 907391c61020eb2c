"""Source 2: the official release archives, each checked against its checksum."""

import hashlib
import http.client
import os
import shutil
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from runtime import checksums, pins
from runtime.failure import Failure
from runtime.progress import Progress

DEADLINE_SECONDS = 900.0
MIRROR = "DAPR_RUNTIME_RELEASES"

_CHUNK_BYTES = 1 << 16
_MEGABYTE = 1e6
_ADVICE = f"check the network and the proxy, or point {MIRROR} at a mirror of the releases"


@dataclass(frozen=True)
class Limits:
    """How long to wait: seconds for a silent server, a time.monotonic() value for everything."""

    read_timeout: float
    deadline: float


def download(programs: Path, progress: Progress, limits: Limits) -> None:
    """Fill `programs` with the executables of this platform's five archives."""
    for number, binary in enumerate(pins.BINARIES, start=1):
        where = address(binary, pins.target())
        url = _url(where)
        label = f"release {number}/{len(pins.BINARIES)}: {binary}"
        expected = _expected(where, progress, limits)
        with tempfile.TemporaryFile(dir=programs) as archive:
            digest = hashlib.sha256()
            size = 0
            for chunk, total in _chunks(url, limits):
                archive.write(chunk)
                digest.update(chunk)
                size += len(chunk)
                progress.update(f"{label} {size / _MEGABYTE:.1f} of {total / _MEGABYTE:.1f} MB")
            if digest.hexdigest() != expected:
                raise Failure(
                    f"check {url}",
                    f"its SHA-256 is {digest.hexdigest()}, and should be {expected}",
                    "do not use this archive; try again, and if it stays so tell whoever runs "
                    "the mirror or the proxy in between",
                )
            archive.seek(0)
            try:
                _extract(archive, binary, programs / binary)
            except (tarfile.TarError, zlib.error, EOFError, KeyError) as error:
                raise Failure(f"unpack {url}", str(error), _ADVICE) from error


def address(binary: str, platform: tuple[str, str]) -> str:
    """Where the archive is, on GitHub and on each mirror."""
    project, version = (
        ("cli", pins.CLI_VERSION) if binary == pins.CLI_BINARY else ("dapr", pins.RUNTIME_VERSION)
    )
    archive = "_".join((binary, *platform)) + ".tar.gz"
    return f"dapr/{project}/releases/download/v{version}/{archive}"


def _url(address: str) -> str:
    return f"{os.environ.get(MIRROR, 'https://github.com').rstrip('/')}/{address}"


def _expected(address: str, progress: Progress, limits: Limits) -> str:
    """From this repository. The server's own is no better than the server."""
    known = checksums.read()
    if checksums.knows_release(known, address):
        if address not in known:
            raise Failure(
                f"check {_url(address)}",
                f"runtime/{checksums.FILE.name} has no checksum of it",
                "run python3 -m runtime.record, from a network that is trusted",
            )
        return known[address]
    progress.say(
        f"runtime/{checksums.FILE.name} knows nothing of {address}: "
        "it is checked against what its own server publishes"
    )
    return published(address, limits)


def published(address: str, limits: Limits) -> str:
    """What the server of the archive says. Raises `Failure`."""
    url = f"{_url(address)}.sha256"
    text = b"".join(chunk for chunk, _ in _chunks(url, limits)).decode(errors="replace")
    words = text.split()
    if not words or len(words[0]) != hashlib.sha256().digest_size * 2:
        raise Failure(f"read {url}", "it holds no SHA-256 checksum", _ADVICE)
    return words[0].lower()


def _chunks(url: str, limits: Limits) -> Iterator[tuple[bytes, int]]:
    """Yield each piece with the announced size in bytes (0 when the server does not say)."""
    step = f"download {url}"
    received = 0
    try:
        with urllib.request.urlopen(url, timeout=limits.read_timeout) as response:
            total = int(response.headers.get("Content-Length") or 0)
            # read1 returns what has arrived; read would wait for a full chunk, and a server that
            # sends a byte a second would then never meet the deadline.
            while chunk := response.read1(_CHUNK_BYTES):
                if time.monotonic() > limits.deadline:
                    raise Failure(step, "not finished before the deadline", _ADVICE)
                received += len(chunk)
                yield chunk, total
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Failure(step, _reason(error, limits), _ADVICE) from error
    if received < total:
        raise Failure(step, f"the connection broke after {received} of {total} bytes", _ADVICE)


def _reason(error: Exception, limits: Limits) -> str:
    # urlopen wraps what happens while it connects, but not what happens while it reads.
    cause = error.reason if type(error) is urllib.error.URLError else error
    if isinstance(cause, TimeoutError):
        return f"the server was silent for {limits.read_timeout:g} s"
    return str(cause) or type(cause).__name__


def _extract(archive: IO[bytes], binary: str, destination: Path) -> None:
    # Only the bytes of one member are taken, so no path, link or mode in the archive counts.
    # tar.extract would need filter="data" for that, which Debian 12's Python 3.11.2 lacks.
    with tarfile.open(fileobj=archive, mode="r:gz") as tar:
        member = tar.extractfile(binary)
        if member is None:
            raise KeyError(f"{binary} is not a file")
        with member, destination.open("wb") as executable:
            shutil.copyfileobj(member, executable)
    destination.chmod(0o755)
