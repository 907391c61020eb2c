"""Orders as in `orders.main`, with the hybrid on the workflow engine."""

from chassis import Service
from chassis.saga import Choreography, HybridWorkflow, Orchestration
from orders import api
from orders.saga import FULFILMENT
from orders.settings import settings

service = Service(settings, title="Orders")
service.sagas.run(Choreography(FULFILMENT))
service.sagas.run(Orchestration(FULFILMENT))
service.sagas.run(HybridWorkflow(FULFILMENT))
service.app.include_router(api.router)
