"""Settings of this service."""

from chassis import ServiceSettings


class Settings(ServiceSettings):
    # The package is named after the app; an underscore stands for a hyphen.
    app_id: str = __package__.replace("_", "-")


settings = Settings()
