"""Inventory, composed: uvicorn --factory inventory.main:app"""

from fastapi import FastAPI

from chassis import Ports, Service
from inventory import api, choreography
from inventory.commands import commands
from inventory.settings import settings


def compose(ports: Ports | None = None) -> Service:
    service = Service(settings, title="Inventory", ports=ports)
    service.subscribe(choreography.events)
    service.answer(commands)
    service.consume(commands)
    service.app.include_router(api.router)
    return service


def app() -> FastAPI:
    return compose().app
