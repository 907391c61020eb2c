"""What a service takes from its environment. The Dapr names are those that `dapr run` sets."""

from datetime import timedelta

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

#: Bytes of the largest message that is kept whole as a dead letter. In base64 it has 3.2 MB, and
#: fits with its page and its inbox record into one call of a sidecar, which takes 4 MiB.
MAX_MESSAGE = 2_400_000
#: As much as a sidecar reads of a TTL: 68 years.
MAX_TTL_SECONDS = 2**31 - 1


class ServiceSettings(BaseSettings):
    """Read once, at start; a wrong value ends the start with its name and the reason."""

    app_id: str = Field(pattern=r"^[a-z][a-z0-9-]{0,40}$")

    dapr_runtime_host: str = "127.0.0.1"
    dapr_http_port: int = Field(default=3500, ge=1, le=65535)
    dapr_grpc_port: int = Field(default=50001, ge=1, le=65535)
    #: What the sidecar asks of its callers, and what this service asks of its sidecar. Unset: open.
    dapr_api_token: SecretStr | None = None
    app_api_token: SecretStr | None = None

    # Names of the components; every profile under components/ uses the same ones.
    pubsub: str = "pubsub"
    state_store: str = "statestore"

    #: Ask the sidecar for many messages at once. A broker's profile says where not: see
    #: components/pubsub/kafka/development.env.
    bulk_delivery: bool = True

    #: How long what failed is tried again: for a reason that passes, and for an unknown one.
    retry_seconds: float = Field(default=45.0, gt=0)
    unknown_retry_seconds: float = Field(default=30.0, gt=0)

    # At least as long as docs/brokers.md says of the broker in use, which is a week for some.
    inbox_ttl_seconds: int = Field(default=7 * 24 * 3600, ge=60, le=MAX_TTL_SECONDS)
    sidecar_timeout_seconds: float = Field(default=5.0, gt=0)
    handler_timeout_seconds: float = Field(default=20.0, gt=0)
    #: How long a step of a saga that can be undone is waited for, retries included.
    step_timeout: timedelta = timedelta(minutes=2)
    start_timeout_seconds: float = Field(default=60.0, gt=0)

    #: Of one request to the API, one command, one event: what each broker carries. A larger event
    #: is a dead letter.
    max_body_bytes: int = Field(default=256 * 1024, ge=1024, le=MAX_MESSAGE)

    log_level: str = "INFO"

    @property
    def dead_letter_topic(self) -> str:
        return f"{self.app_id}-dead-letters"
