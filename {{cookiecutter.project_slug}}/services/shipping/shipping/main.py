"""Shipping, composed: uvicorn shipping.main:app"""

from chassis import Service
from shipping import api, choreography
from shipping.commands import commands
from shipping.settings import settings

service = Service(settings, title="Shipping")
service.subscribe(choreography.events)
service.answer(commands)
service.obey(commands)
service.app.include_router(api.router)

app = service.app
