"""Payments, composed: uvicorn --factory payments.main:app"""

from fastapi import FastAPI

from chassis import Ports, Service
from payments import api, choreography
from payments.commands import commands
from payments.settings import settings


def compose(ports: Ports | None = None) -> Service:
    service = Service(settings, title="Payments", ports=ports)
    service.subscribe(choreography.events)
    service.answer(commands)
    service.consume(commands)
    service.app.include_router(api.router)
    return service


def app() -> FastAPI:
    return compose().app
