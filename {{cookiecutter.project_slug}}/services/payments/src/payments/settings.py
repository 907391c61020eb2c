"""Settings of payments."""

from pydantic import Field

from chassis import ServiceSettings


class PaymentsSettings(ServiceSettings):
    app_id: str = "payments"

    #: What a card that is not known yet may be charged in all.
    card_limit_cents: int = Field(default=1_000_00, ge=0)


settings = PaymentsSettings()
