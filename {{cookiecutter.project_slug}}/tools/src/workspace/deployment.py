"""Docker on the broker and the store of dapr.yaml, with secrets made for their servers.

It sees BROKER and STORE, and finds in .secrets/ what containers take as files.
"""

import os
import secrets
import subprocess
from pathlib import Path
from string import Template

from workspace import identities, profiles, tokens
from workspace.daprfile import ROOT, DaprFile
from workspace.errors import StackError
from workspace.profiles import Profile

COMPOSE_FILE = ROOT / "deploy" / "compose" / "compose.yaml"
OVERRIDE = COMPOSE_FILE.with_name("compose.override.yaml")
SERVERS = ROOT / "deploy" / "servers"
SECRETS = ROOT / ".secrets"

#: What Compose and Swarm call the server of a profile of this kind.
SERVER = {"pubsub": "broker", "state": "store"}


def environment(file: DaprFile) -> dict[str, str]:
    """BROKER and STORE, how many containers of each, and what the profiles say to the services."""
    found: dict[str, str] = {}
    for profile in profiles.in_use(file):
        server = SERVER[profile.kind].upper()
        is_own = os.environ.keys() & settings(profile, password="").keys()
        found |= {server: profile.name, f"{server}_REPLICAS": "0" if is_own else "1"}
        found |= profile.of_the_services
    return found


def compose_files() -> list[str]:
    """The options that name what Compose merges; what overrides the rest is the user's."""
    files = [COMPOSE_FILE, *([OVERRIDE] if OVERRIDE.exists() else [])]
    return [part for file in files for part in ("--file", str(file))]


def make_secrets(file: DaprFile, folder: Path = SECRETS) -> None:
    """One file each: the tokens of a service, the identity of each part of Dapr and what it rests
    on, and for broker and store a password and what uses it.

    A password is made once, since a server keeps the first one that it was given.
    """
    # The folder keeps other users of this machine out; its files are open, because a container
    # that mounts one reads it as another user.
    folder.mkdir(mode=0o700, exist_ok=True)
    for app_id in file.apps:
        _write(folder / f"tokens-{app_id}", _lines(tokens.of(app_id)))
    for name, content in identities.make(folder, file.apps).items():
        _write(folder / name, content)
    for profile in profiles.in_use(file):
        server = SERVER[profile.kind]
        password = folder / f"{server}-password"
        if not password.exists():
            _write(password, secrets.token_hex(32))
        _write(folder / server, _lines(settings(profile, password.read_text())))


def settings(profile: Profile, password: str) -> dict[str, str]:
    """What the components of the profile read, beside the server in deploy/servers.

    What the environment has set already wins: a server of one's own.
    """
    file = SERVERS / f"{profile.name}.env"
    if not file.exists():
        return {}
    lines = Template(file.read_text()).substitute(password=password).splitlines()
    known = dict(line.split("=", 1) for line in lines)
    return {name: os.environ.get(name, value) for name, value in known.items()}


def docker(*arguments: str, file: DaprFile) -> str:
    """What the command prints. Raises `StackError` with what it complains of."""
    try:
        done = subprocess.run(
            ["docker", *arguments],
            env={**os.environ, **environment(file)},
            capture_output=True,
            text=True,
        )
    except FileNotFoundError as error:
        raise StackError("docker is not there: install it, or put it on PATH") from error
    if done.returncode:
        raise StackError(f"docker {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


def _lines(values: dict[str, str]) -> str:
    # Never empty: Swarm takes no empty secret.
    return "# Made by tools/src/workspace/deployment.py\n" + "".join(
        f"{name}={value}\n" for name, value in values.items()
    )


def _write(file: Path, content: str) -> None:
    # Not replaced: a running container has mounted this very file.
    file.write_text(content)
    file.chmod(0o644)
