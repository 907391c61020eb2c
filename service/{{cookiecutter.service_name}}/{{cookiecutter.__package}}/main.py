"""The service, composed: uvicorn <package>.main:app"""

from chassis import Service

from . import api, choreography
from .settings import settings

service = Service(settings, title=settings.app_id.capitalize())
service.subscribe(choreography.events)
service.app.include_router(api.router)

app = service.app
