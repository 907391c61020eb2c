"""Orders, composed: uvicorn --factory orders.main:app"""

from fastapi import FastAPI

from chassis import Ports, Service
from chassis.processes import ProcessAccepted
from chassis.saga import Choreography, Hybrid, Orchestration
from orders import api
from orders.saga import FULFILMENT
from orders.settings import settings


def compose(ports: Ports | None = None) -> Service:
    service = Service(settings, title="Orders", ports=ports)
    # A style is left out by leaving out its line.
    service.sagas.run(Choreography(FULFILMENT))
    service.sagas.run(Orchestration(FULFILMENT))
    service.sagas.run(Hybrid(FULFILMENT))
    service.records(ProcessAccepted)
    service.app.include_router(api.router)
    return service


def app() -> FastAPI:
    return compose().app
