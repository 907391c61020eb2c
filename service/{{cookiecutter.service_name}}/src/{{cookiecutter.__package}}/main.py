"""The service, composed: uvicorn --factory <package>.main:app"""

from fastapi import FastAPI

from chassis import Ports, Service

from . import api, choreography
from .settings import settings


def compose(ports: Ports | None = None) -> Service:
    service = Service(settings, title=settings.app_id.capitalize(), ports=ports)
    service.subscribe(choreography.events)
    service.app.include_router(api.router)
    return service


def app() -> FastAPI:
    return compose().app
