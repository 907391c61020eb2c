"""All that a service is composed of, and that a test or the simulation replaces."""

from dataclasses import dataclass

from chassis.callers import Authentication
from chassis.engine import DaprEngine
from chassis.inbox import RunStep, run_step
from chassis.invocation import Participants as Invoked
from chassis.issuer_keys import IssuerKeys
from chassis.loopback import without_proxy
from chassis.oidc import OidcAuthentication
from chassis.ports import (
    CLOCK,
    RANDOM,
    Broker,
    Clock,
    Engine,
    Participants,
    Random,
    Store,
    Supervisor,
)
from chassis.settings import ServiceSettings
from chassis.sidecar import Sidecar


@dataclass(frozen=True, slots=True)
class Ports:
    store: Store
    broker: Broker
    participants: Participants
    engine: Engine
    sidecar: Supervisor
    clock: Clock = CLOCK
    random: Random = RANDOM
    #: Says who calls the API; None: nobody is asked.
    authentication: Authentication | None = None
    #: Runs the handler of a message.
    run_step: RunStep = run_step


def beside_sidecar(settings: ServiceSettings) -> Ports:
    """What production composes a service of. Nothing is connected before the first call."""
    without_proxy(settings.dapr_runtime_host)
    sidecar = Sidecar(settings)
    return Ports(
        store=sidecar,
        broker=sidecar,
        participants=Invoked(settings),
        engine=DaprEngine(settings),
        sidecar=sidecar,
        authentication=authenticated_by_issuer(settings, CLOCK),
    )


def authenticated_by_issuer(settings: ServiceSettings, clock: Clock) -> Authentication | None:
    """None: no issuer is set."""
    if settings.oidc_issuer is None or settings.oidc_audience is None:
        return None
    keys = IssuerKeys(settings.oidc_issuer, settings.oidc_jwks_url)
    return OidcAuthentication(settings.oidc_issuer, settings.oidc_audience, keys, clock)
