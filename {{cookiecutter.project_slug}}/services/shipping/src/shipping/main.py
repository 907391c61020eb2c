"""Shipping, composed: uvicorn --factory shipping.main:app"""

from fastapi import FastAPI

from chassis import Ports, Service
from shipping import api, choreography
from shipping.commands import commands
from shipping.settings import settings


def compose(ports: Ports | None = None) -> Service:
    service = Service(settings, title="Shipping", ports=ports)
    service.subscribe(choreography.events)
    service.answer(commands)
    service.consume(commands)
    service.app.include_router(api.router)
    return service


def app() -> FastAPI:
    return compose().app
