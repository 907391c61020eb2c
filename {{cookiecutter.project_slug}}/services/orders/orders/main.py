"""Orders, composed: uvicorn orders.main:app"""

from chassis import Service
from contracts import OrderCancelled, OrderConfirmed, OrderPlaced
from orders import api, asking, choreography, hybrid, orchestration, process, steps
from orders.settings import settings

service = Service(settings, title="Orders")
service.subscribe(choreography.events)
service.host(process.workflows, orchestration.workflows, hybrid.workflows, replies=hybrid.replies)
# What begins and ends an order, and what its workflows ask for.
service.publishes(OrderPlaced, OrderConfirmed, OrderCancelled, *asking.PARTICIPANTS)
service.records(api.OrderAccepted)
service.watch(steps.unfinished)
service.app.include_router(api.router)

app = service.app
