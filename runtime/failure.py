"""How every step says that it could not be done."""


class Failure(Exception):
    """A step that failed: what was tried, why it did not work, and what the reader can do."""

    def __init__(self, step: str, reason: str, advice: str) -> None:
        super().__init__(f"{step}: {reason}")
        self.step = step
        self.reason = reason
        self.advice = advice
