"""Orders as in `orders.main`, with the hybrid on the workflow engine."""

from chassis import Ports, Service
from chassis.processes import ProcessAccepted
from chassis.saga import Choreography, HybridWorkflow, Orchestration
from orders import api
from orders.saga import FULFILMENT
from orders.settings import settings


def compose(ports: Ports | None = None) -> Service:
    service = Service(settings, title="Orders", ports=ports)
    service.sagas.run(Choreography(FULFILMENT))
    service.sagas.run(Orchestration(FULFILMENT))
    service.sagas.run(HybridWorkflow(FULFILMENT))
    service.records(ProcessAccepted)
    service.app.include_router(api.router)
    return service
