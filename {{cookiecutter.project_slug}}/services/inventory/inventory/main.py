"""Inventory, composed: uvicorn inventory.main:app"""

from chassis import Service
from inventory import api, choreography
from inventory.commands import commands
from inventory.settings import settings

service = Service(settings, title="Inventory")
service.subscribe(choreography.events)
service.answer(commands)
service.obey(commands)
service.app.include_router(api.router)

app = service.app
