"""Orders as main.py composes it, but with the hybrid on the workflow engine."""

from orders import api
from orders.saga import FULFILMENT
from orders.settings import settings

from chassis import Service
from chassis.processes import ProcessAccepted
from chassis.saga import Choreography, HybridWorkflow

service = Service(settings, title="Orders")
service.sagas.run(Choreography(FULFILMENT))
service.sagas.run(HybridWorkflow(FULFILMENT))
service.records(ProcessAccepted)
service.app.include_router(api.router)

app = service.app
