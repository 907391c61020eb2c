"""Payments, composed: uvicorn payments.main:app"""

from chassis import Service
from payments import api, choreography
from payments.commands import commands
from payments.settings import settings

service = Service(settings, title="Payments")
service.subscribe(choreography.events)
service.answer(commands)
service.obey(commands)
service.app.include_router(api.router)

app = service.app
