"""This service reads each version of a message that may be in flight: see docs/versions.md."""

import contracts
from chassis import CommandRefused, topic_of
from testkit import in_flight
from workspace.in_flight import FILE

from ..main import compose


def test_it_reads_what_may_be_in_flight() -> None:
    messages = list(contracts.messages())
    topics = set(map(topic_of, [*messages, CommandRefused]))
    # Other services list what they alone keep.
    listed = in_flight.load(FILE).items()
    shared = {topic: versions for topic, versions in listed if topic in topics}
    wrong = in_flight.problems(shared, [compose()], messages)
    assert not wrong, "\n".join(wrong)
