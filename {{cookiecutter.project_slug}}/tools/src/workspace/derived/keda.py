"""deploy/kubernetes/keda: each member is scaled by what waits for it, in the broker's own terms."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from string import Template

from workspace.derived.file import Derived, head
from workspace.members import Member

KEDA = "deploy/kubernetes/keda"
INSTEAD = "the code or kustomization.yaml"

SCALED = Template("""\
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: $app_id
spec:
  scaleTargetRef:
    name: $app_id
  minReplicaCount: 2
  maxReplicaCount: 6
  triggers:
""")

TRIGGER = Template("""\
    - type: $type
      authenticationRef:
        name: broker
      metadata:
""")

Metadata = Mapping[str, str]


def of_redis(member: Member) -> Iterator[Metadata]:
    for topic in _waiting(member):
        yield {"stream": topic, "consumerGroup": member.app_id, "lagCount": '"100"'}


def of_rabbitmq(member: Member) -> Iterator[Metadata]:
    for topic in _waiting(member):
        queue = f"{member.app_id}-{topic}"
        yield {"protocol": "amqp", "queueName": queue, "mode": "QueueLength", "value": '"100"'}


def of_kafka(member: Member) -> Iterator[Metadata]:
    yield {
        "bootstrapServersFromEnv": "KAFKA_BROKERS",
        "consumerGroup": member.app_id,
        "offsetResetPolicy": "earliest",
        "lagThreshold": '"100"',
    }


def of_snssqs(member: Member) -> Iterator[Metadata]:
    yield {"queueURL": member.app_id, "queueLength": '"100"'}


#: By the name of a broker's profile: what KEDA calls it, and what the triggers of a member are.
TRIGGERS: Mapping[str, tuple[str, Callable[[Member], Iterator[Metadata]]]] = {
    "redis": ("redis-streams", of_redis),
    "rabbitmq": ("rabbitmq", of_rabbitmq),
    "kafka": ("kafka", of_kafka),
    "snssqs": ("aws-sqs-queue", of_snssqs),
}


def derive(root: Path, members: Sequence[Member]) -> Iterator[Derived]:
    """For each broker that has a folder."""
    for broker, (type, triggers) in TRIGGERS.items():
        if (folder := root / KEDA / broker).exists():
            scaled = [_scaled(member, type, triggers(member)) for member in members]
            content = head(INSTEAD) + "---\n".join(filter(None, scaled))
            yield Derived(folder / "scaling.yaml", content, INSTEAD)


def _scaled(member: Member, type: str, triggers: Iterator[Metadata]) -> str:
    """Empty for a member for which nothing can wait."""
    if not _waiting(member):
        return ""
    lines = [SCALED.substitute(app_id=member.app_id)]
    for metadata in triggers:
        lines.append(TRIGGER.substitute(type=type))
        lines += [f"        {name}: {value}\n" for name, value in metadata.items()]
    return "".join(lines)


def _waiting(member: Member) -> list[str]:
    """The topics of its work; dead letters are none."""
    return sorted(topic for topic in member.subscribes if topic != member.dead_letters)
