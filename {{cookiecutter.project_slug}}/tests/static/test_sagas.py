"""Each saga is wired as it is declared: who answers a command, and who reacts to which event."""

from chassis.saga import wiring
from workspace import members


def test_every_service_does_what_the_sagas_declare() -> None:
    wrong = wiring.problems(members.services())
    assert not wrong, "\n".join(wrong)
