"""Payments, composed: uvicorn payments.main:app"""

from chassis import Service
from payments import api, choreography, hybrid, orchestration
from payments.settings import settings

service = Service(settings, title="Payments")
service.subscribe(choreography.events)
service.answer(orchestration.commands)
service.obey(hybrid.commands)
service.app.include_router(api.router)

app = service.app
