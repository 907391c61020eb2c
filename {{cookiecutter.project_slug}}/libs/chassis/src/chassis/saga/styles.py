"""The three styles in which a saga runs."""

from enum import StrEnum


class Style(StrEnum):
    CHOREOGRAPHY = "choreography"
    ORCHESTRATION = "orchestration"
    HYBRID = "hybrid"


class Engine(StrEnum):
    """What runs a process. In choreography nobody does."""

    MANAGER = "manager"
    WORKFLOW = "workflow"
