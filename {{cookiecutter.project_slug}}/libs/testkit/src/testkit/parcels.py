"""A made-up service with workflows, for the tests of the simulation: parcels on their way."""

from collections.abc import Generator, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from dapr.ext.workflow import DaprWorkflowContext, RetryPolicy, when_any
from pydantic import BaseModel

from chassis import (
    Calls,
    CloudEvent,
    Handlers,
    Ports,
    Service,
    ServiceSettings,
    Transaction,
    Unavailable,
    Workflows,
)

TIMEOUT = timedelta(minutes=3)
RETRY = RetryPolicy(
    first_retry_interval=timedelta(seconds=1), max_number_of_attempts=5, backoff_coefficient=2
)


class Parcel(BaseModel):
    version: ClassVar[int] = 1

    id: str
    stops: int = 2
    #: How often the carrier fails before it answers.
    failures: int = 0

    @property
    def subject(self) -> str:
        return self.id


class Delivered(BaseModel):
    version: ClassVar[int] = 1

    id: str
    by: str
    waited: float = 0

    @property
    def subject(self) -> str:
        return self.id


class Signed(BaseModel):
    """Raised to the workflow `subject`, which waits for `causationid`."""

    version: ClassVar[int] = 1

    id: str

    @property
    def subject(self) -> str:
        return self.id


workflows = Workflows()
signatures = Handlers()
attempts: dict[str, int] = {}


@workflows.activity
async def carry(parcel: Parcel, service: Service) -> Parcel:
    attempts[parcel.id] = attempts.get(parcel.id, 0) + 1
    if attempts[parcel.id] <= parcel.failures:
        raise Unavailable("the van does not start")
    return parcel


@workflows.workflow
def deliver(ctx: DaprWorkflowContext, parcel: Parcel) -> Generator[Any, Any, Delivered]:
    """Carried with retries; then a pause; then whoever is first: the signature, or a neighbour."""
    began = ctx.current_utc_datetime
    yield from Calls(ctx)(carry, parcel, TIMEOUT)
    yield ctx.create_timer(timedelta(seconds=10))
    signature = ctx.wait_for_external_event("signed")
    timer = ctx.create_timer(timedelta(minutes=1))
    first = yield when_any([signature, timer])
    waited = (ctx.current_utc_datetime - began).total_seconds()
    by = "the customer" if first is signature else "a neighbour"
    return Delivered(id=parcel.id, by=by, waited=waited)


@workflows.workflow
def haul(ctx: DaprWorkflowContext, parcel: Parcel) -> Generator[Any, Any, Delivered]:
    """Carried with the SDK's own retry policy."""
    yield ctx.call_activity("carry", input=parcel.model_dump(mode="json"), retry_policy=RETRY)
    return Delivered(id=parcel.id, by="the van")


@workflows.workflow
def tour(ctx: DaprWorkflowContext, parcel: Parcel) -> Generator[Any, Any, Delivered]:
    """One stop after the other, each as a new run of this workflow; the last one is a child."""
    if parcel.stops:
        yield ctx.create_timer(timedelta(hours=1))
        next_stop = parcel.model_copy(update={"stops": parcel.stops - 1})
        ctx.continue_as_new(next_stop.model_dump(mode="json"), save_events=True)
        return Delivered(id=parcel.id, by="nobody yet")
    result = yield ctx.call_child_workflow(
        "deliver", input=parcel.model_dump(mode="json"), instance_id=f"{parcel.id}-last-mile"
    )
    return Delivered.model_validate(result)


@signatures.on(Signed)
async def signed(_: Signed, __: Transaction) -> None:
    pass


def compose(ports: Ports | None = None) -> Service:
    service = Service(ServiceSettings(app_id="parcels"), title="Parcels", ports=ports)
    service.host(workflows)

    async def hand_over(reply: CloudEvent, _: Sequence[CloudEvent]) -> None:
        await service.workflows.raise_event(reply)

    service.await_replies(signatures, None, then=hand_over)
    return service
