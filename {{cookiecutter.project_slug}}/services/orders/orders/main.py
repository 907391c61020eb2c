"""Orders, composed: uvicorn --factory orders.main:app"""

from fastapi import FastAPI

from chassis import Ports, Service
from contracts import OrderCancelled, OrderConfirmed, OrderPlaced
from orders import api, asking, choreography, hybrid, orchestration, process, steps
from orders.settings import settings


def compose(ports: Ports | None = None) -> Service:
    service = Service(settings, title="Orders", ports=ports)
    service.subscribe(choreography.events)
    service.host(
        process.workflows, orchestration.workflows, hybrid.workflows, replies=hybrid.replies
    )
    # What begins and ends an order, and what its workflows ask for.
    service.publishes(OrderPlaced, OrderConfirmed, OrderCancelled, *asking.PARTICIPANTS)
    service.watch(steps.unfinished)
    service.app.include_router(api.router)
    return service


def app() -> FastAPI:
    return compose().app
