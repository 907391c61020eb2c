"""What the outside of a service does, whoever plays it: one suite a port.

Each suite is a class of tests that take one `subject`. A stand-in and the real sidecar inherit it
and bring that fixture, so no stand-in can promise what Dapr does not keep. Live, the template's own
tests run it, on each store, each broker, and more than one version of daprd.
"""

from testkit.contract.broker import BrokerContract, BrokerSubject
from testkit.contract.invocation import InvocationContract, InvocationSubject
from testkit.contract.store import StoreContract, StoreSubject
from testkit.contract.workflows import WorkflowContract, WorkflowSubject

__all__ = [
    "BrokerContract",
    "BrokerSubject",
    "InvocationContract",
    "InvocationSubject",
    "StoreContract",
    "StoreSubject",
    "WorkflowContract",
    "WorkflowSubject",
]
