"""Dead letters of a service: messages that it could not handle, kept until someone decides."""

from chassis.deadletters.attempts import Attempts
from chassis.deadletters.kept import Discard, KeptLetters
from chassis.deadletters.letter import DeadLetter, letter_id

__all__ = ["Attempts", "DeadLetter", "Discard", "KeptLetters", "letter_id"]
