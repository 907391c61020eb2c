"""The streams of JetStream, without which nothing can be published: a stream for each topic."""

import asyncio
from collections.abc import Sequence

import nats
import yaml
from nats.errors import Error
from nats.js.api import StreamConfig

from workspace.errors import StackError
from workspace.profiles import COMPONENTS, Profile

PROFILE = Profile("pubsub", "jetstream")
CONNECT_SECONDS = 5
# As long as a service remembers what it has handled.
KEPT_SECONDS = 7 * 24 * 3600
# JetStream drops what has the id of a message that it took within this time. A dead letter that
# could not be kept is published to its own topic again, and must not be dropped, so this is shorter
# than the retry window of components/resiliency.yaml.
DUPLICATES_SECONDS = 1


def topics() -> list[str]:
    """All topics that the component file knows."""
    file = COMPONENTS / PROFILE.kind / PROFILE.name / "pubsub.yaml"
    metadata = yaml.safe_load(file.read_text())["spec"]["metadata"]
    (known,) = (entry["value"] for entry in metadata if entry["name"] == "protectedTopics")
    return str(known).split(", ")


def make(names: Sequence[str]) -> None:
    """Make these streams, or change those that are there. Raises `StackError`."""
    asyncio.run(_make(names))


async def _make(names: Sequence[str]) -> None:
    environment = PROFILE.environment
    url = environment["NATS_URL"]
    try:
        server = await nats.connect(
            url,
            token=environment["NATS_TOKEN"] or None,
            connect_timeout=CONNECT_SECONDS,
            allow_reconnect=False,
        )
        async with server:
            streams = server.jetstream()
            there = {stream.config.name for stream in await streams.streams_info()}
            for name in names:
                stream = StreamConfig(
                    name=name,
                    subjects=[name],
                    max_age=KEPT_SECONDS,
                    duplicate_window=DUPLICATES_SECONDS,
                )
                change = streams.update_stream if name in there else streams.add_stream
                await change(stream)
    except (Error, OSError) as error:
        raise StackError(
            f"no streams at {url}: {error}. It must be a NATS server with JetStream (-js), and "
            f"NATS_TOKEN must be its token, if it has one."
        ) from error
