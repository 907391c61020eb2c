"""A failure that a person reads: what failed, why, and what to do."""


class StackError(Exception):
    """Its text is all that is shown."""
