"""Source 2: the official release archives for this platform, checked against their checksums."""

import hashlib
import http.client
import os
import re
import shutil
import tarfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from runtime import limits, pins
from runtime.failures import SourceFailed
from runtime.progress import Progress

OFFICIAL = "https://github.com/dapr"
CHUNK = 1 << 16
MB = 1_000_000
CHECKSUM_LIMIT = 4096  # bytes; an answer above it is a web page, not a checksum
ADVICE = (
    "check the network and the proxy variables, or set DAPR_RUNTIME_RELEASES to a mirror "
    f"of {OFFICIAL}; a slow network wants a larger DAPR_RUNTIME_TIMEOUT"
)


class DownloadFailed(Exception):
    """The text is the reason."""


def fetch(binaries: Path, progress: Progress) -> None:
    """Puts every binary into the directory `binaries`. Raises `SourceFailed`."""
    end = time.monotonic() + limits.download()
    for number, name in enumerate(pins.BINARIES, start=1):
        url = _url(name)
        step = f"step {number}/{len(pins.BINARIES)}, download {url}"
        archive = binaries / f"{name}.tar.gz"
        try:
            wanted = _checksum(url, end)
            _download(url, archive, end, progress, step)
            _compare(archive, wanted)
            _extract(archive, name, binaries / name)
        except DownloadFailed as error:
            raise SourceFailed(step, str(error), ADVICE) from error
        archive.unlink()


def _url(name: str) -> str:
    base = (os.environ.get("DAPR_RUNTIME_RELEASES") or OFFICIAL).rstrip("/")
    repository, version = ("cli", pins.CLI) if name == "dapr" else ("dapr", pins.DAPR)
    file = f"{name}_{pins.OS}_{pins.ARCH}.tar.gz"
    return f"{base}/{repository}/releases/download/v{version}/{file}"


def _checksum(url: str, end: float) -> str:
    text = bytearray()
    for chunk, _ in _chunks(f"{url}.sha256", end):
        text += chunk
        if len(text) > CHECKSUM_LIMIT:
            break
    found = re.match(rb"[0-9a-fA-F]{64}\b", text)
    if len(text) > CHECKSUM_LIMIT or found is None:
        raise DownloadFailed(f"{url}.sha256 holds no SHA-256 checksum")
    return found[0].decode().lower()


def _download(url: str, archive: Path, end: float, progress: Progress, step: str) -> None:
    done = 0
    with archive.open("wb") as file:
        for chunk, total in _chunks(url, end):
            file.write(chunk)
            done += len(chunk)
            of = f" of {total / MB:.1f}" if total else ""
            progress.show(f"{step}: {done / MB:.1f}{of} MB")


def _chunks(url: str, end: float) -> Iterator[tuple[bytes, int | None]]:
    """Pieces of the body as they arrive, each with the size of the whole in bytes if known."""
    seconds = limits.network()
    done = 0
    try:
        with urllib.request.urlopen(url, timeout=seconds) as response:
            length = response.headers.get("Content-Length")
            total = int(length) if length else None
            # read1, as read would wait for a full chunk and let a trickle pass the deadline.
            while chunk := response.read1(CHUNK):
                if time.monotonic() > end:
                    raise DownloadFailed(f"not done after {limits.download():.0f} s in all")
                done += len(chunk)
                yield chunk, total
    except TimeoutError as error:
        raise DownloadFailed(f"no data for {seconds:g} s") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None)
        text = f"no answer for {seconds:g} s" if isinstance(reason, TimeoutError) else str(error)
        raise DownloadFailed(text or type(error).__name__) from error
    if total is not None and done != total:
        raise DownloadFailed(f"the connection broke after {done} of {total} bytes")


def _compare(archive: Path, wanted: str) -> None:
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != wanted:
        raise DownloadFailed(f"wrong checksum: {found}, published is {wanted}")


def _extract(archive: Path, name: str, target: Path) -> None:
    """Takes one file out by its content: no path and no mode of the archive reaches the disk."""
    try:
        with tarfile.open(archive) as members:
            for member in members:
                if member.isfile() and Path(member.name).name == name:
                    content = members.extractfile(member)
                    assert content is not None
                    with content, target.open("wb") as file:
                        shutil.copyfileobj(content, file)
                    target.chmod(0o755)
                    return
    except (tarfile.TarError, EOFError) as error:
        raise DownloadFailed(f"the archive cannot be read: {error}") from error
    raise DownloadFailed(f"the archive holds no file {name}")
