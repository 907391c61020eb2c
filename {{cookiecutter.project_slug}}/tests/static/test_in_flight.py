"""Who reads a message reads each version of it that may be in flight."""

import contracts
from testkit import in_flight
from workspace import members
from workspace.in_flight import FILE


def test_every_service_reads_what_may_be_in_flight() -> None:
    wrong = in_flight.problems(FILE, members.services(), contracts.messages())
    assert not wrong, "\n".join(wrong)


def test_the_contracts_list_their_messages_and_no_base_of_them() -> None:
    names = {message.__name__ for message in contracts.messages()}
    # Who has no service yet may have no message.
    assert names or not members.names()
    assert not names & {"Message", "Event", "Command"}
