"""Shipping, composed: uvicorn shipping.main:app"""

from chassis import Service
from shipping import api, choreography, hybrid, orchestration
from shipping.settings import settings

service = Service(settings, title="Shipping")
service.subscribe(choreography.events)
service.answer(orchestration.commands)
service.obey(hybrid.commands)
service.app.include_router(api.router)

app = service.app
