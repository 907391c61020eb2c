"""A stand-in that is altered in one error or one behaviour breaks the contract."""

import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from chassis.cloudevents import CloudEvent
from chassis.errors import Refused, Rejected, StaleWrite, TooLarge, Unavailable
from chassis.ports import Stored, Write
from testkit.contract import (
    BrokerContract,
    InvocationContract,
    StoreContract,
    StoreSubject,
    WorkflowContract,
)
from testkit.contract.invocation import REDIRECTS
from testkit.contract.stand_ins import (
    Clock,
    memory_broker,
    memory_store,
    simulated_invocation,
    simulated_workflows,
)
from testkit.contract.workflows import COMMAND
from testkit.memory import MemoryBroker, MemoryStore
from testkit.simulation.calls import Answer, SimulatedParticipants, SimulatedSession
from testkit.simulation.engine import AlreadyRunning, SimulatedEngine
from testkit.table import ABSENT, Table, require_to_fit


async def broken(contract: type, subject: Callable[[], Any]) -> list[str]:
    """The tests of the contract that this subject does not pass."""
    failed = []
    for name in dir(contract):
        if name.startswith("test_"):
            try:
                await getattr(contract(), name)(subject())
            except (Exception, pytest.fail.Exception):
                failed.append(name)
    return failed


class Raises(MemoryStore):
    """One error in the place of another, as a client does that misreads the sidecar."""

    wrong: tuple[type[Exception], type[Exception]]

    async def commit(self, writes: Sequence[Write]) -> None:
        honest, altered = self.wrong
        try:
            await super().commit(writes)
        except Exception as error:
            raise altered(str(error)) if type(error) is honest else error from error


class RefusesALostRace(Raises):
    wrong = StaleWrite, Refused


class IsAwayAtALostRace(Raises):
    wrong = StaleWrite, Unavailable


class RefusesWhatIsTooLarge(Raises):
    wrong = TooLarge, Refused


class RetriesABadDelete(Raises):
    wrong = ValueError, StaleWrite


class OnATable(MemoryStore):
    table_class: type[Table]

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(now)
        self.table = self.table_class(now)


def on_a_table(table: type[Table]) -> type[MemoryStore]:
    return type(table.__name__, (OnATable,), {"table_class": table})


class WritesUntilItIsStale(Table):
    def commit(self, writes: Sequence[Write]) -> None:
        for write in writes:
            super().commit([write])


class CreatesWhatIsThere(Table):
    def is_stale(self, write: Write) -> bool:
        return write.etag is not None and super().is_stale(write)


class UpdatesWhatIsNotThere(Table):
    def is_stale(self, write: Write) -> bool:
        return write.key in self and super().is_stale(write)


class DeletesWhatever(Table):
    def is_stale(self, write: Write) -> bool:
        return write.value is not None and super().is_stale(write)


class HashesForETags(Table):
    def _put(self, write: Write) -> None:
        super()._put(write)
        if write.value is not None:
            _, expires_at = self._rows[write.key]
            etag = hashlib.sha256(write.value).hexdigest()
            self._rows[write.key] = Stored(write.value, etag), expires_at


class KeepsForEver(Table):
    def _put(self, write: Write) -> None:
        super()._put(Write(write.key, write.value, write.etag))


class KeepsTheFirstTTL(Table):
    def _put(self, write: Write) -> None:
        before = self._rows.get(write.key)
        super()._put(write)
        if before is not None and write.key in self._rows:
            self._rows[write.key] = self._rows[write.key][0], before[1]


class HoldsTheKeyOfWhatExpired(Table):
    def is_stale(self, write: Write) -> bool:
        stored, _ = self._rows.get(write.key, (ABSENT, None))
        return stored.etag != write.etag


class ReadsNothingOfWhatIsAbsent(Table):
    def read(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        return {key: stored for key, stored in super().read(keys).items() if stored.etag}


class StripsKeys(Table):
    def _put(self, write: Write) -> None:
        super()._put(Write(write.key.strip(), write.value, write.etag, write.ttl_seconds))

    def _stored(self, key: str) -> Stored:
        return super()._stored(key.strip())


STORES = [
    *(RefusesALostRace, IsAwayAtALostRace, RefusesWhatIsTooLarge, RetriesABadDelete),
    *map(
        on_a_table,
        [
            *(WritesUntilItIsStale, CreatesWhatIsThere, UpdatesWhatIsNotThere, DeletesWhatever),
            *(HashesForETags, KeepsForEver, KeepsTheFirstTTL, HoldsTheKeyOfWhatExpired),
            *(ReadsNothingOfWhatIsAbsent, StripsKeys),
        ],
    ),
]


@pytest.mark.parametrize("mutant", STORES)
async def test_an_altered_store_breaks_the_contract(mutant: type[MemoryStore]) -> None:
    def subject() -> StoreSubject:
        clock = Clock()
        store = mutant(lambda: clock.now)
        return StoreSubject(store, store, clock.pass_time)

    assert await broken(StoreContract, subject)


@pytest.mark.parametrize("check", ["check_keys", "check_writes"])
async def test_a_store_that_does_not_check_breaks_the_contract(
    monkeypatch: pytest.MonkeyPatch, check: str
) -> None:
    monkeypatch.setattr(f"testkit.table.{check}", lambda _: None)
    assert await broken(StoreContract, memory_store)


async def test_a_store_that_is_not_altered_breaks_nothing() -> None:
    assert await broken(StoreContract, memory_store) == []


class Sends(MemoryBroker):
    """Something else than it was asked to."""

    async def publish(self, topic: str, events: Sequence[CloudEvent]) -> None:
        await super().publish(topic, list(self.altered(events)))

    def altered(self, events: Sequence[CloudEvent]) -> Iterable[CloudEvent]:
        return events


class LosesTheLast(Sends):
    def altered(self, events: Sequence[CloudEvent]) -> Iterable[CloudEvent]:
        return events[:100]


class ForgetsExtensions(Sends):
    def altered(self, events: Sequence[CloudEvent]) -> Iterable[CloudEvent]:
        return (event.model_copy(update={"replyto": None}) for event in events)


class StripsSubjects(Sends):
    def altered(self, events: Sequence[CloudEvent]) -> Iterable[CloudEvent]:
        return (event.model_copy(update={"subject": event.subject.strip()}) for event in events)


class IsAwayAtWhatIsTooLarge(MemoryBroker):
    async def publish(self, topic: str, events: Sequence[CloudEvent]) -> None:
        try:
            await super().publish(topic, events)
        except TooLarge as error:
            raise Unavailable(str(error)) from error


class TakesNoMoreThanACall(MemoryBroker):
    async def publish(self, topic: str, events: Sequence[CloudEvent]) -> None:
        require_to_fit(sum(len(event.on_the_wire()) for event in events), "a bulk")
        await super().publish(topic, events)


class TakesAnySize(MemoryBroker):
    async def publish(self, topic: str, events: Sequence[CloudEvent]) -> None:
        self.published[topic].extend(events)


class TakesSmallOnes(MemoryBroker):
    async def publish(self, topic: str, events: Sequence[CloudEvent]) -> None:
        for event in events:
            require_to_fit(20 * len(event.on_the_wire()), event.id)
        await super().publish(topic, events)


class RefusesNothing(MemoryBroker):
    async def publish(self, topic: str, events: Sequence[CloudEvent]) -> None:
        if not events:
            raise Refused("nothing to publish")
        await super().publish(topic, events)


BROKERS = [
    *(LosesTheLast, ForgetsExtensions, StripsSubjects, IsAwayAtWhatIsTooLarge),
    *(TakesNoMoreThanACall, TakesAnySize, TakesSmallOnes, RefusesNothing),
]


@pytest.mark.parametrize("mutant", BROKERS)
async def test_an_altered_broker_breaks_the_contract(
    mutant: type[MemoryBroker], monkeypatch: pytest.MonkeyPatch
) -> None:
    # In memory, what has not arrived at once never will.
    monkeypatch.setattr("testkit.contract.broker.ARRIVAL_SECONDS", 0)
    assert await broken(BrokerContract, lambda: memory_broker(mutant()))


async def test_a_broker_that_is_not_altered_breaks_nothing() -> None:
    assert await broken(BrokerContract, memory_broker) == []


class IsAwayForWhomItDoesNotKnow(SimulatedEngine):
    def raise_event(self, app_id: str, instance_id: str, name: str, data: Any) -> None:
        if (app_id, instance_id) not in self.instances:
            raise Unavailable(instance_id)
        super().raise_event(app_id, instance_id, name, data)


class BeginsWhatRuns(SimulatedEngine):
    def begin(self, app_id: str, name: str, instance_id: str, *more: Any) -> None:
        self.instances.pop((app_id, instance_id), None)
        super().begin(app_id, name, instance_id, *more)


class BeginsNothingTwice(SimulatedEngine):
    def begin(self, app_id: str, name: str, instance_id: str, *more: Any) -> None:
        if (app_id, instance_id) not in self.instances:
            super().begin(app_id, name, instance_id, *more)


class NeverForgetsAnId(SimulatedEngine):
    def purge(self, app_id: str, instance_id: str) -> None:
        self.used = getattr(self, "used", set()) | {instance_id}
        super().purge(app_id, instance_id)

    def begin(self, app_id: str, name: str, instance_id: str, *more: Any) -> None:
        if instance_id in getattr(self, "used", set()):
            raise AlreadyRunning(instance_id)
        super().begin(app_id, name, instance_id, *more)


class HearsAnyName(SimulatedEngine):
    def raise_event(self, app_id: str, instance_id: str, _: str, data: Any) -> None:
        super().raise_event(app_id, instance_id, COMMAND, data)


class HearsNobodyBeforeItWaits(SimulatedEngine):
    def raise_event(self, app_id: str, instance_id: str, name: str, data: Any) -> None:
        if self.instances[app_id, instance_id].history:
            super().raise_event(app_id, instance_id, name, data)


ENGINES = [
    *(
        IsAwayForWhomItDoesNotKnow,
        BeginsWhatRuns,
        BeginsNothingTwice,
        NeverForgetsAnId,
        HearsAnyName,
    ),
    HearsNobodyBeforeItWaits,
]


async def broken_by_workflows() -> list[str]:
    with simulated_workflows() as subject:
        return await broken(WorkflowContract, lambda: subject)


@pytest.mark.parametrize("mutant", ENGINES)
async def test_an_altered_engine_breaks_the_contract(
    mutant: type[SimulatedEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("testkit.simulation.world.SimulatedEngine", mutant)
    assert await broken_by_workflows()


async def test_an_engine_that_is_not_altered_breaks_nothing() -> None:
    assert await broken_by_workflows() == []


class AltersAnswers(SimulatedSession):
    @asynccontextmanager
    async def post(self, path: str, *, data: bytes, **more: Any) -> AsyncIterator[Answer]:
        command = CloudEvent.model_validate_json(data)
        async with super().post(path, data=data, **more) as answer:
            yield self.altered(command, answer)

    def altered(self, _: CloudEvent, answer: Answer) -> Answer:
        return answer


class AnswersA404With200(AltersAnswers):
    def altered(self, _: CloudEvent, answer: Answer) -> Answer:
        return Answer(200, answer.body) if answer.status == 404 else answer


class AnswersARedirectWith200(AltersAnswers):
    def altered(self, _: CloudEvent, answer: Answer) -> Answer:
        return Answer(200, answer.body) if answer.status in REDIRECTS else answer


class FollowsRedirects(SimulatedSession):
    @asynccontextmanager
    async def post(self, path: str, **more: Any) -> AsyncIterator[Answer]:
        async with super().post(path, **more) as answer:
            if answer.status not in (307, 308):
                yield answer
                return
        async with super().post("participant/method/commands/ask", **more) as answer:
            yield answer


class AnswersForAnother(AltersAnswers):
    """Each with what was asked before it."""

    last = Answer(200, b"")

    def altered(self, _: CloudEvent, answer: Answer) -> Answer:
        before, AnswersForAnother.last = AnswersForAnother.last, answer
        return before


class TakesAnyReplyForItsOwn(AltersAnswers):
    def altered(self, command: CloudEvent, answer: Answer) -> Answer:
        try:
            reply = CloudEvent.model_validate_json(answer.body)
        except ValueError:
            return answer
        own = reply.model_copy(update={"causationid": command.id})
        return Answer(answer.status, own.on_the_wire())


class CutsWhatIsTooLarge(SimulatedSession):
    @asynccontextmanager
    async def post(self, path: str, *, data: bytes, **more: Any) -> AsyncIterator[Answer]:
        command = CloudEvent.model_validate_json(data)
        cut = command.model_copy(update={"data": command.data | {"more": ""}})
        async with super().post(path, data=cut.on_the_wire(), **more) as answer:
            yield answer


class TakesA403ForARefusal(SimulatedParticipants):
    async def ask(self, app_id: str, command: CloudEvent, topic: str) -> CloudEvent:
        try:
            return await super().ask(app_id, command, topic)
        except Unavailable as error:
            refused = "HTTP 403" in str(error)
            raise (Rejected if refused else Unavailable)(str(error)) from error


class RaisesRefusals(SimulatedParticipants):
    async def ask(self, app_id: str, command: CloudEvent, topic: str) -> CloudEvent:
        reply = await super().ask(app_id, command, topic)
        if reply.type == "command-refused.v1":
            raise Rejected(reply.data["reason"])
        return reply


class RefusesForWhomItDoesNotKnow(SimulatedParticipants):
    async def ask(self, app_id: str, command: CloudEvent, topic: str) -> CloudEvent:
        if app_id == "nobody":
            raise Rejected(app_id)
        return await super().ask(app_id, command, topic)


class AsksUnderAnotherId(SimulatedParticipants):
    async def ask(self, app_id: str, command: CloudEvent, topic: str) -> CloudEvent:
        another = command.model_copy(update={"id": str(uuid4())})
        reply = await super().ask(app_id, another, topic)
        return reply.model_copy(update={"causationid": command.id})


class StripsWhatItAsks(SimulatedParticipants):
    async def ask(self, app_id: str, command: CloudEvent, topic: str) -> CloudEvent:
        account = command.data["account"].strip()
        data = command.data | {"account": account}
        return await super().ask(app_id, command.model_copy(update={"data": data}), topic)


SESSIONS = [
    *(AnswersA404With200, AnswersARedirectWith200, FollowsRedirects, AnswersForAnother),
    *(TakesAnyReplyForItsOwn, CutsWhatIsTooLarge),
]
PARTICIPANTS = [
    *(TakesA403ForARefusal, RaisesRefusals, RefusesForWhomItDoesNotKnow, AsksUnderAnotherId),
    StripsWhatItAsks,
]


async def broken_by_invocation() -> list[str]:
    with simulated_invocation() as subject:
        return await broken(InvocationContract, lambda: subject)


@pytest.mark.parametrize("mutant", SESSIONS)
async def test_an_altered_network_breaks_the_contract(
    mutant: type[SimulatedSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("testkit.simulation.calls.SimulatedSession", mutant)
    assert await broken_by_invocation()


@pytest.mark.parametrize("mutant", PARTICIPANTS)
async def test_an_altered_client_breaks_the_contract(
    mutant: type[SimulatedParticipants], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("testkit.simulation.workspace.SimulatedParticipants", mutant)
    assert await broken_by_invocation()


async def test_invocation_that_is_not_altered_breaks_nothing() -> None:
    assert await broken_by_invocation() == []
