"""The sagas that the services of dapr.yaml initiate, found by composing them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from chassis.saga import Saga, Style
from testkit.quiet import quiet
from workspace import members


@dataclass(frozen=True)
class Declared:
    saga: Saga
    #: The app id of the service that initiates it.
    initiator: str
    styles: tuple[Style, ...]
    #: How long a step that can be undone is waited for.
    step_timeout: timedelta

    @property
    def participants(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(step.at for step in self.saga.steps))


def declared() -> Sequence[Declared]:
    found: list[Declared] = []
    with quiet():
        for service in members.services():
            runners, settings = service.sagas.runners, service.settings
            for saga in {runner.saga.name: runner.saga for runner in runners}.values():
                styles = tuple(each.style for each in runners if each.saga is saga)
                found.append(Declared(saga, settings.app_id, styles, settings.step_timeout))
    return found
