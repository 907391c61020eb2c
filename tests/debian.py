"""What the tests take from Debian, where it is not there yet."""

import subprocess
from pathlib import Path


def install(package: str, proof: str | Path) -> None:
    """Debian's package, unless this file of it is there. Raises RuntimeError with what to do."""
    proof = Path(proof)
    if proof.exists():
        return
    get = ["apt-get", "install", "-y", "-q", "--no-install-recommends", package]
    done = subprocess.run(get, capture_output=True, text=True)
    if not proof.exists():
        # The list of packages may be old or missing.
        subprocess.run(["apt-get", "update", "-q"], capture_output=True)
        done = subprocess.run(get, capture_output=True, text=True)
    if not proof.exists():
        raise RuntimeError(f"{package} is not there; `{' '.join(get)}` said:\n{done.stderr}")
