"""Sagas: a business process declared once, and run in three styles.

`declaration` is what a user writes; `progress` and `manager` are pure; `choreography`,
`orchestration`, `hybrid` and `hybrid_workflow` are the runners.
"""

from chassis.saga.choreography import Choreography
from chassis.saga.declaration import Kind, Saga, Step
from chassis.saga.hybrid import Hybrid
from chassis.saga.hybrid_workflow import HybridWorkflow
from chassis.saga.orchestration import Orchestration
from chassis.saga.progress import Progress, Recorded, Retry, State, undone
from chassis.saga.styles import Style
from chassis.saga.together import together

__all__ = [
    "Choreography",
    "Hybrid",
    "HybridWorkflow",
    "Kind",
    "Orchestration",
    "Progress",
    "Recorded",
    "Retry",
    "Saga",
    "State",
    "Step",
    "Style",
    "together",
    "undone",
]
