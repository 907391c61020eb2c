"""Settings of orders."""

from datetime import timedelta

from chassis import ServiceSettings
from orders.domain import Style


class OrdersSettings(ServiceSettings):
    app_id: str = "orders"

    #: The style of an order that does not name one.
    default_style: Style = Style.CHOREOGRAPHY

    #: How long a workflow waits for a step that can be undone, retries included.
    step_patience: timedelta = timedelta(minutes=2)

    @property
    def replies_topic(self) -> str:
        return f"{self.app_id}-replies"


settings = OrdersSettings()
