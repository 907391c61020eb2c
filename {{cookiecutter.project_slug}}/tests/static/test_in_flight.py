"""Who reads a message reads each version of it that may be in flight."""

from testkit import in_flight
from tests import examples
from workspace import scopes


def test_every_service_reads_what_may_be_in_flight() -> None:
    services = map(scopes.service, scopes.service_names())
    wrong = in_flight.problems(examples.IN_FLIGHT, services, examples.messages())
    assert not wrong, "\n".join(wrong)
