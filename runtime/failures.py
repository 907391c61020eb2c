"""How a source says that it cannot help."""

from dataclasses import dataclass


@dataclass
class SourceFailed(Exception):
    """One source did not work: the step it was at, the reason, and what a person can do."""

    step: str
    reason: str
    advice: str

    def __str__(self) -> str:
        return f"{self.step}: {self.reason}"
