"""The tokens of .env: one for the services to show their sidecars, one for the other way round.

`workspace tokens` makes the file, as `make setup` does.
"""

import os
import secrets
from collections.abc import Callable, Mapping, Sequence

from workspace import envfile, processes
from workspace.daprfile import ROOT
from workspace.errors import StackError

ENV = ROOT / ".env"

#: The sidecar asks its callers for this one: the service, the CLI, a workflow client.
API_TOKEN = "DAPR_API_TOKEN"
#: The service asks for this one at its event, command and dead-letter routes.
APP_TOKEN = "APP_API_TOKEN"
HEADER = "dapr-api-token"


def make(running: Callable[[], Sequence[str]] = processes.running) -> bool:
    """Write .env with random tokens, unless it is there. True if it was written.

    Raises `StackError` if it is gone while something runs with the tokens that it held.
    """
    if not ENV.exists() and (names := running()):
        raise StackError(
            f"{ENV} is gone, and {', '.join(names)} run with the tokens that it held: new ones "
            "would be answered 401. `make down` first, or put the file back."
        )
    try:
        # Mode 600 from the first byte on: nobody else of this machine may read it.
        file = os.open(ENV, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with open(file, "w") as env:
        env.write("# Made by `make setup`; never commit it. Delete it, and new tokens are made.\n")
        env.writelines(f"{name}={secrets.token_hex(32)}\n" for name in (API_TOKEN, APP_TOKEN))
    return True


def read() -> dict[str, str]:
    """What .env says; nothing if it is not there. Raises `StackError` for a line of another form.

    What the environment has set already wins, as with `source .env` before it.
    """
    if not ENV.exists():
        return {}
    try:
        return envfile.read(ENV)
    except StackError as error:
        raise StackError(f"{error}, or delete the file") from error


def app_headers() -> Mapping[str, str]:
    """What a request to a guarded route of a service must carry."""
    token = {**read(), **os.environ}.get(APP_TOKEN)
    if token and not (token.isascii() and token.isprintable() and token == token.strip()):
        raise StackError(
            f"{APP_TOKEN} ends in a line end or a space, or holds what no header carries: "
            f"correct it in the environment, or in {ENV}"
        )
    return {HEADER: token} if token else {}
