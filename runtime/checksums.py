"""The checksums of the official archives that stand in this repository."""

from collections.abc import Mapping
from pathlib import Path

FILE = Path(__file__).parent / "checksums.txt"


def read(file: Path = FILE) -> dict[str, str]:
    """By the end of an archive's address: `dapr/cli/releases/download/v1.16.5/<archive>`."""
    lines = (line.split() for line in file.read_text().splitlines() if not line.startswith("#"))
    return {words[1]: words[0] for words in lines if words}


def knows_release(known: Mapping[str, str], address: str) -> bool:
    """Whether any archive of the release of this one is there: then each must be."""
    release, _, _ = address.rpartition("/")
    return any(each.startswith(f"{release}/") for each in known)


def write(known: Mapping[str, str], file: Path = FILE) -> None:
    """In place of all lines; what the file says of itself stays."""
    head = [line for line in file.read_text().splitlines() if line.startswith("#")]
    lines = [f"{checksum}  {address}" for address, checksum in sorted(known.items())]
    file.write_text("\n".join([*head, *lines, ""]))
