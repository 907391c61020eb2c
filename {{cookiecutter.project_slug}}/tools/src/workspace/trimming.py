"""The streams of Redis, trimmed of what every subscriber has acknowledged.

components/pubsub/redis/trim.lua says how; whatever runs a broker calls it now and then.
"""

from collections.abc import Sequence
from typing import cast

from valkey import Valkey
from valkey.exceptions import ValkeyError

from workspace.errors import StackError
from workspace.profiles import COMPONENTS, Profile

PROFILE = Profile("pubsub", "redis")
FOLDER = COMPONENTS / PROFILE.kind / PROFILE.name
#: Messages of a stream that is left alone: the last ones are there to be looked at.
LEFT_ALONE = 10_000
TIMEOUT_SECONDS = 30


def trim() -> list[str]:
    """On the server that the environment names. Raises `StackError`."""
    environment = PROFILE.environment
    host, _, port = environment["REDIS_HOST"].partition(":")
    with Valkey(
        host,
        int(port or 6379),
        username=environment["REDIS_USERNAME"] or None,
        password=environment["REDIS_PASSWORD"] or None,
        ssl=environment["REDIS_ENABLE_TLS"] == "true",
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
    ) as server:
        try:
            return trim_on(server)
        except ValkeyError as error:
            raise StackError(
                f"the streams at {host}:{port} were not trimmed: {error}. It must be a "
                "Redis or Valkey server, and REDIS_USERNAME, REDIS_PASSWORD and REDIS_ENABLE_TLS "
                "must be as it wants them."
            ) from error


def trim_on(
    server: Valkey, left_alone: int = LEFT_ALONE, component: str | None = None
) -> list[str]:
    """A line for each stream that lost messages, and how many. Raises `ValkeyError`.

    `component`: who subscribes to what, as `workspace derive` wrote it last.
    """
    if component is None:
        component = (FOLDER / "pubsub.yaml").read_text()
    script = (FOLDER / "trim.lua").read_text()
    lines = cast(Sequence[bytes | str], server.eval(script, 0, component, str(left_alone)))
    return [line if isinstance(line, str) else line.decode() for line in lines]
