"""Inventory, composed: uvicorn inventory.main:app"""

from chassis import Service
from inventory import api, choreography, hybrid, orchestration
from inventory.settings import settings

service = Service(settings, title="Inventory")
service.subscribe(choreography.events)
service.answer(orchestration.commands)
service.obey(hybrid.commands)
service.app.include_router(api.router)

app = service.app
