"""Settings of inventory."""

from chassis import ServiceSettings


class InventorySettings(ServiceSettings):
    app_id: str = "inventory"


settings = InventorySettings()
