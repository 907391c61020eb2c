"""The Dapr wiring that every service uses. It knows no process."""

from chassis.api import Caller, IdempotencyKey, NewId, Running, needs
from chassis.callers import ANYONE, Identity
from chassis.cloudevents import CloudEvent, derived_id, envelope
from chassis.composing import Ports
from chassis.errors import Rejected, Unavailable
from chassis.guard import ClientRoute, OpenRoute, SidecarRoute
from chassis.handlers import Handlers, Step, read, step
from chassis.inbox import to_the_caller
from chassis.messages import topic_of
from chassis.refusal import CommandRefused
from chassis.service import Service
from chassis.settings import ServiceSettings
from chassis.telemetry import traceparent
from chassis.text import cut
from chassis.transaction import Transaction
from chassis.unfinished import Unfinished
from chassis.workflows import Calls, Workflow, Workflows

__all__ = [
    "ANYONE",
    "Caller",
    "Calls",
    "ClientRoute",
    "CloudEvent",
    "CommandRefused",
    "Handlers",
    "IdempotencyKey",
    "Identity",
    "NewId",
    "OpenRoute",
    "Ports",
    "Rejected",
    "Running",
    "Service",
    "ServiceSettings",
    "SidecarRoute",
    "Step",
    "Transaction",
    "Unavailable",
    "Unfinished",
    "Workflow",
    "Workflows",
    "cut",
    "derived_id",
    "envelope",
    "needs",
    "read",
    "step",
    "to_the_caller",
    "topic_of",
    "traceparent",
]
