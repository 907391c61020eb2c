"""Who reads a message reads each version of it that may be in flight."""

from testkit import in_flight
from tests import examples
from workspace import members


def test_every_service_reads_what_may_be_in_flight() -> None:
    services = members.services()
    wrong = in_flight.problems(examples.IN_FLIGHT, services, examples.messages())
    assert not wrong, "\n".join(wrong)
