"""The tokens of .env: one for the services to show their sidecars, one for the other way round.

`workspace tokens` makes the file, as `make setup` does. Each service has two of its own, derived
from those: who knows them knows none of another service. `dapr run -f .` gives all of its apps the
same environment, so what that has set is taken as it is, for every service.
"""

import hashlib
import hmac
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


def of(app_id: str) -> dict[str, str]:
    """Those of one service and its sidecar; none if there is no .env. Raises `StackError`."""
    found = read()
    for name in (API_TOKEN, APP_TOKEN):
        given = {**found, **os.environ}.get(name)
        if given is None:
            continue
        if not given.strip():
            raise StackError(f"{name} is empty, which would let anybody in: unset it, see {ENV}")
        if not (given.isascii() and given.isprintable() and given == given.strip()):
            raise StackError(
                f"{name} ends in a line end or a space, or holds what no header carries: "
                f"correct it in the environment, or in {ENV}"
            )
        is_own = name in os.environ
        found[name] = given if is_own else _derived(given, app_id)
    return found


def _derived(secret: str, app_id: str) -> str:
    return hmac.new(secret.encode(), app_id.encode(), hashlib.sha256).hexdigest()


def app_headers(app_id: str) -> Mapping[str, str]:
    """What a request to a guarded route of a service must carry."""
    token = of(app_id).get(APP_TOKEN)
    return {HEADER: token} if token else {}
