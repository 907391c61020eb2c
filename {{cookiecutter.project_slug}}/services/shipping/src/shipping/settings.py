"""Settings of shipping."""

from chassis import ServiceSettings
from contracts.orders import Country


class ShippingSettings(ServiceSettings):
    app_id: str = "shipping"

    #: Where a carrier goes; an order to any other country fails.
    served_countries: frozenset[Country] = frozenset({"BE", "DE", "FR", "NL", "US"})


settings = ShippingSettings()
