"""The three ways to fulfil an order."""

from enum import StrEnum


class Style(StrEnum):
    CHOREOGRAPHY = "choreography"
    ORCHESTRATION = "orchestration"
    HYBRID = "hybrid"
