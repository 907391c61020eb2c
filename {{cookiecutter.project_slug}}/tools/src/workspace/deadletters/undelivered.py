"""What SQS moved to `<app>-undelivered`: received so often, and never taken by the service.

No sidecar reads that queue. A replay puts a message back into the queue of its service, and only
then deletes it here: at least once, and the inbox makes it once.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import yaml
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from workspace.calls import Failure
from workspace.deadletters.letter import Letter
from workspace.profiles import COMPONENTS, Profile

PROFILE = Profile("pubsub", "snssqs")
#: SQS hands out ten in one call; with this wait it asks all of its servers for them.
AT_ONCE, WAIT_SECONDS = 10, 1
#: Messages of one queue that are listed; a replay of these shows the next ones.
MAX_LISTED = 1_000
#: What was listed is handed back at the end, or by SQS after so long if this process dies before.
HELD_SECONDS = 120


class Undelivered:
    """The `Keeper` of the queues that the component of the profile has made."""

    def __init__(self) -> None:
        settings = PROFILE.environment
        endpoint = settings["AWS_ENDPOINT_URL"] or None
        self._sqs = boto3.client(
            "sqs",
            aws_access_key_id=settings["AWS_ACCESS_KEY_ID"] or None,
            aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"] or None,
            region_name=settings["AWS_REGION"],
            endpoint_url=endpoint,
            # A server of one's own is reached through no proxy; Amazon may be.
            config=Config(proxies={}) if endpoint else None,
        )
        component = COMPONENTS / PROFILE.kind / PROFILE.name / "pubsub.yaml"
        metadata = yaml.safe_load(component.read_text())["spec"]["metadata"]
        self._metadata = {entry["name"]: str(entry.get("value", "")) for entry in metadata}
        #: By id, what has been received and not yet been handed back or deleted.
        self._held: dict[str, tuple[str, dict[str, Any]]] = {}

    def letters(self, service: str) -> Iterator[Letter]:
        """Raises `Failure`."""
        url = self._url("sqsDeadLettersQueueName", service)
        if url is None:
            return
        for message in self._received(url):
            self._held[message["MessageId"]] = url, message
        for id, (queue, message) in self._held.items():
            if queue == url:
                yield Letter(service, id, _content(message), self)

    def show(self, letter: Letter) -> Any:
        _, message = self._held[letter.id]
        return letter.content | {"body": message["Body"]}

    def replay(self, letter: Letter) -> None:
        url, message = self._held[letter.id]
        queue = self._url("consumerID", letter.service)
        if queue is None:
            raise Failure("its queue is gone: the sidecar of the service makes it, start that")
        attributes = message.get("MessageAttributes", {})
        body = message["Body"]
        self._call("send_message", QueueUrl=queue, MessageBody=body, MessageAttributes=attributes)
        # Not before: what is in neither queue is lost.
        self._call("delete_message", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        del self._held[letter.id]

    def discard(self, letter: Letter, reason: str, by: str) -> None:
        raise Failure(
            "a queue keeps no record of why: replay it, and discard the dead letter that it becomes"
        )

    def close(self) -> None:
        """Hand back what is held, so that the next list shows it. Raises `Failure`."""
        for url, message in self._held.values():
            receipt = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
            self._call("change_message_visibility", **receipt, VisibilityTimeout=0)
        self._held.clear()

    def _received(self, url: str) -> Iterator[dict[str, Any]]:
        for _ in range(MAX_LISTED // AT_ONCE):
            received = self._call(
                "receive_message",
                QueueUrl=url,
                MaxNumberOfMessages=AT_ONCE,
                VisibilityTimeout=HELD_SECONDS,
                WaitTimeSeconds=WAIT_SECONDS,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            if not received:
                return
            yield from received

    def _url(self, setting: str, service: str) -> str | None:
        """Of the queue that the component names by this setting; None before it has made it."""
        name = self._metadata[setting].replace("{appID}", service)
        # As the component does, see nameToAWSSanitizedName of components-contrib.
        name = re.sub(r"[^A-Za-z0-9_-]", "", name)[:80]
        try:
            return str(self._call("get_queue_url", QueueName=name)["QueueUrl"])
        except NoQueue:
            return None

    def _call(self, operation: str, **given: Any) -> Any:
        try:
            return getattr(self._sqs, operation)(**given)
        except self._sqs.exceptions.QueueDoesNotExist as error:
            raise NoQueue(str(error)) from error
        except (BotoCoreError, ClientError) as error:
            raise Failure(f"SQS {operation} {given.get('QueueUrl', '')}: {error}") from error


class NoQueue(Failure):
    pass


def _content(message: dict[str, Any]) -> dict[str, Any]:
    attributes = message["Attributes"]
    sent = int(attributes["SentTimestamp"]) / 1000
    notification = _read(message["Body"])
    event = _read(notification.get("Message"))
    return {
        "topic": str(notification.get("TopicArn", "")).rpartition(":")[2] or None,
        "event_id": event.get("id"),
        "type": event.get("type"),
        "subject": event.get("subject"),
        "kind": "undelivered",
        "attempts": int(attributes["ApproximateReceiveCount"]),
        "arrived_at": datetime.fromtimestamp(sent, UTC).isoformat(),
        "cause": "SQS moved it aside: the service took none of its deliveries",
    }


def _read(text: Any) -> dict[str, Any]:
    """Whoever may write to the topic or the queue may have written anything."""
    try:
        content = json.loads(text)
    except (ValueError, TypeError):
        return {}
    return content if isinstance(content, dict) else {}
