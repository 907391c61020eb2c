"""How a step can fail. The kind decides what the broker does with the message."""


class Rejected(Exception):
    """This message can never succeed: a wrong schema, an unknown version. It is dead-lettered."""


class UsedBefore(Rejected):
    """The id was used before, for other content."""


class StaleWrite(Exception):
    """Another writer changed a key since it was read. Nothing of the transaction is stored."""


class Unavailable(Exception):
    """The sidecar, or what is behind it, did not answer in time. The message is tried again."""


class Refused(Unavailable):
    """The sidecar answered with an error. In a group, one message may be the cause of it."""


class TooLarge(Refused):
    """More than the sidecar takes, or gives, in one call. What is so large alone will stay so."""
