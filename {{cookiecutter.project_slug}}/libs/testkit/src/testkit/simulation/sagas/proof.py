"""The proof of a saga: processes under every fault, in each style, judged by its invariants.

Nothing is written for it but the declaration: participants are made from that. Each step that may
refuse does so now and then, and each command gets a `CommandRefused` now and then, undos included.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta

from chassis.cloudevents import CloudEvent
from chassis.composing import Ports
from chassis.deadletters import letter_id
from chassis.inbox import InboxRecord
from chassis.messages import Message as SagaMessage
from chassis.messages import name_of, topic_of
from chassis.ports import Write
from chassis.saga import Progress, Saga, Style
from chassis.saga.records import record_key
from chassis.saga.runner import Runner
from chassis.service import Service
from chassis.settings import ServiceSettings
from chassis.transaction import adapter
from chassis.unfinished import SWEEP_SECONDS
from testkit.sagas import Evidence, Message, Outcome, Process, Sent, example, violations
from testkit.simulation.process import Process as SimulatedProcess
from testkit.simulation.sagas.participants import Participant, Script
from testkit.simulation.simulation import Changed, Check, Simulation, unchanged
from testkit.simulation.world import MAX_ASKS, Fate, World

#: How long a step is waited for: until it is answered, or so shortly that it is often given up
#: though it is done, or will be.
ENDLESS, SHORT = timedelta(days=1), timedelta(milliseconds=400)
#: Virtual seconds, from the start of a process to its end.
DEADLINE_SECONDS = 1_200
INITIATOR = "initiator"


def proof(
    runner: Callable[[Saga], Runner],
    saga: Saga,
    step_timeout: timedelta = ENDLESS,
    *,
    participant: type[Participant] = Participant,
    changed: Changed = unchanged,
) -> Simulation:
    """Of the saga in the style of the runner. Negative controls change participants and ports."""
    script = Script()

    def initiator(ports: Ports) -> Service:
        settings = ServiceSettings(app_id=INITIATOR, step_timeout=step_timeout)
        service = Service(settings, title=INITIATOR, ports=ports)
        service.sagas.run(runner(saga))
        return service

    style = runner(saga).style
    named = saga.named
    held_back = [(step.at, topic_of(command)) for command, step in saga.commands.items()]

    def play(world: World) -> Check:
        script.clear()
        run = Run(world, saga, style, INITIATOR)
        world.is_balanced = world.pick((False, True))
        held = world.pick((*[None] * 4, *held_back))
        if held is not None:
            # Whatever follows it overtakes it.
            world.hold_back(*held)
        refusable = [step.name for step in saga.steps if step.refused is not None]
        for number in range(world.pick((1, 1, 2))):
            started = example(saga.started_by, seed=number)
            refused = world.pick((None, None, *refusable)), world.pick((None, *refusable))
            script.refused[started.subject] = {each for each in refused if each is not None}
            # Nobody sends a command in choreography, so nobody waits for its refusal.
            for _ in range(0 if style is Style.CHOREOGRAPHY else 2):
                rejected = world.pick((None, *named))
                if rejected is not None:
                    script.rejected[started.subject, rejected] = world.pick((1, 2))
            run.begin(started, is_patient=world.pick((True, True, False)))

        def check() -> list[str]:
            run.sweep()
            return violations(saga, run.evidence(in_order=step_timeout >= ENDLESS))

        return check

    compositions = [
        initiator,
        *(participant(saga, at, script).compose for at in sorted({s.at for s in saga.steps})),
    ]
    workflows = style is not Style.CHOREOGRAPHY
    return Simulation(compositions, play, workflows=workflows, changed=changed)


class Run:
    """Processes of one saga in one style, in one world."""

    def __init__(self, world: World, saga: Saga, style: Style, initiator: str) -> None:
        self._world, self._saga, self._style, self._initiator = world, saga, style, initiator
        self._started: dict[str, SagaMessage] = {}
        self._accepted: set[str] = set()
        self._oldest_unfinished = 0.0

    def begin(self, started: SagaMessage, *, is_patient: bool = True) -> None:
        """By a client that asks until it is answered, or one that asks once."""
        id = started.subject
        self._started[id] = started

        async def begin(process: SimulatedProcess) -> None:
            await process.service.sagas.begin(self._saga, self._style, started)

        def answered(answer: object) -> None:
            if not isinstance(answer, Exception):
                self._accepted.add(id)

        asks = MAX_ASKS if is_patient else 1
        self._world.request(self._initiator, f"begin {id}", begin, answered, asks)

    def sweep(self) -> None:
        """Let the initiator look once more at what it lists as unfinished."""

        async def sweep(process: SimulatedProcess) -> float:
            service = process.service
            await service.sagas.unfinished.sweep(service.store, service.clock.now())
            return service.sagas.unfinished.age(service.clock.now())

        def swept(answer: float | Exception) -> None:
            if not isinstance(answer, Exception):
                self._oldest_unfinished = answer

        # An earlier sweep would rely on the last one of the run.
        ask = lambda: self._world.request(self._initiator, "sweep", sweep, swept)  # noqa: E731
        self._world.later(SWEEP_SECONDS, ask)
        self._world.run()

    def evidence(self, *, in_order: bool) -> Evidence:
        fates = self._world.fates()
        return Evidence(
            deadline=DEADLINE_SECONDS,
            in_order=in_order,
            processes={id: self._process(id) for id in self._started},
            sent=tuple(self._sent()),
            published=frozenset(map(_message, fates)),
            processed=frozenset(_message(fate) for fate in fates if fate.processed),
            dead_letters=frozenset(_message(fate) for fate in fates if fate.dead_lettered),
            oldest_unfinished=self._oldest_unfinished,
        )

    def _process(self, id: str) -> Process:
        key = record_key(self._saga, id)
        progress = self._world.store(self._initiator).get(key, Progress)
        seconds = None
        if progress is not None and progress.ended_at and progress.started_at:
            seconds = (progress.ended_at - progress.started_at).total_seconds()
        ends = {topic_of(end): name_of(end) for end in self._saga.ends}
        published = {
            each.event.id: ends[each.topic]
            for each in self._world.broker.log
            if each.topic in ends and each.event and each.event.subject == id
        }
        return Process(
            id=id,
            # What is recorded has begun, though its client may not know.
            accepted=id in self._accepted or (progress is not None and progress.style is not None),
            started=self._started[id].model_dump(mode="json"),
            state=None if progress is None else progress.state,
            seconds=seconds,
            failed_step=None if progress is None else progress.failed_step,
            ends=tuple(published.values()),
            outcomes=tuple(self._outcomes(id, self._world.commits)),
            known_at_end=self._known_at_end(id),
        )

    def _known_at_end(self, id: str) -> int | None:
        """How many outcomes were committed before the record of its end."""
        commits, key = self._world.commits, record_key(self._saga, id)
        for number, (app_id, write) in enumerate(commits):
            if app_id == self._initiator and write.key == key and write.value is not None:
                progress: Progress = adapter(Progress).validate_json(write.value)
                if progress.has_ended:
                    return len(self._outcomes(id, commits[:number]))
        return None

    def _outcomes(self, id: str, commits: Sequence[tuple[str, Write]]) -> Sequence[Outcome]:
        """What the participants have committed of the process, in that order."""
        names = {topic_of(reply): name_of(reply) for reply in self._saga.replies}
        # The record of a message that becomes a dead letter is written again as it is, to keep it.
        records = dict.fromkeys(
            (app_id, write.key, write.value)
            for app_id, write in commits
            if write.key.startswith("inbox:") and write.value is not None
        )
        return [
            Outcome(app_id, names[topic], key, outgoing.event.data)
            for app_id, key, record in records
            for outgoing in InboxRecord.model_validate_json(record).outcomes
            if outgoing.event.subject == id and (topic := _topic(outgoing.event)) in names
        ]

    def _sent(self) -> Sequence[Sent]:
        events = [each.event for each in self._world.broker.log if each.event is not None]
        return [
            Sent(event.source, event.id, _topic(event), event.subject, event.data)
            for event in (*events, *self._world.asked)
        ]


def _topic(event: CloudEvent) -> str:
    """The one of its class: a reply may be published to another."""
    return event.type.rpartition(".v")[0]


def _message(fate: Fate) -> Message:
    event = fate.message.event
    return Message(
        service=fate.service,
        topic=fate.message.topic,
        id=event.id if event else str(letter_id(fate.message.raw)),
        subject=event.subject if event else "",
    )
