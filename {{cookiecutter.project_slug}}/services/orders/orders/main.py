"""Orders, composed: uvicorn orders.main:app"""

from chassis import Service
from chassis.saga import Choreography, Hybrid, Orchestration
from orders import api
from orders.saga import FULFILMENT
from orders.settings import settings

service = Service(settings, title="Orders")
# A style is left out by leaving out its line.
service.sagas.run(Choreography(FULFILMENT))
service.sagas.run(Orchestration(FULFILMENT))
service.sagas.run(Hybrid(FULFILMENT))
service.records(api.OrderAccepted)
service.app.include_router(api.router)

app = service.app
