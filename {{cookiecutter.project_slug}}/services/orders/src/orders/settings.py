"""Settings of orders."""

from chassis import ServiceSettings
from chassis.saga import Style


class OrdersSettings(ServiceSettings):
    app_id: str = "orders"

    #: The style of an order that does not name one.
    default_style: Style = Style.CHOREOGRAPHY


settings = OrdersSettings()
