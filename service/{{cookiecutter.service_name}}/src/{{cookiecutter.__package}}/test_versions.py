"""This service reads each version of a message that may be in flight: see docs/versions.md."""

from contracts import testing as contracts
from testkit import in_flight

from .main import compose


def test_it_reads_what_may_be_in_flight() -> None:
    wrong = in_flight.problems(contracts.IN_FLIGHT, [compose()], contracts.messages())
    assert not wrong, "\n".join(wrong)
