"""What a service takes from its environment. The Dapr names are those that `dapr run` sets."""

import logging
from datetime import timedelta
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsError,
)

#: Bytes of the largest message that is kept whole as a dead letter. In base64 it has 3.2 MB, and
#: fits with its page and its inbox record into one call of a sidecar, which takes 4 MiB.
MAX_MESSAGE = 2_400_000
#: As much as a sidecar reads of a TTL: 68 years.
MAX_TTL_SECONDS = 2**31 - 1


#: Of a value that is shown in an error.
MAX_SHOWN = 100


def _header(token: SecretStr) -> SecretStr:
    """daprd 1.18.2 takes its tokens as they are, and would send or expect a line end, too."""
    if not token.get_secret_value():
        # A secret that got lost on its way must not open what it guards.
        raise ValueError("it is empty: set a token, or unset the variable to run without one")
    text = token.get_secret_value()
    if not (text.isascii() and text.isprintable() and text == text.strip()):
        raise ValueError(
            "it ends in a line end or a space, or holds what no header carries, and the sidecar "
            "takes it as it is: make it without (printf, not echo)"
        )
    return token


def _safe(url: str) -> str:
    """Whoever is in between could exchange the keys of a plain one."""
    if not is_safe(url):
        raise ValueError("it is no https:// URL, nor http:// on loopback")
    return url


def is_safe(url: str) -> bool:
    loopback = ("127.0.0.1", "localhost", "[::1]")
    return url.startswith("https://") or any(
        url.startswith((f"http://{host}:", f"http://{host}/")) for host in loopback
    )


def _level(name: str) -> str:
    levels = logging.getLevelNamesMapping()
    if name.upper() not in levels:
        raise ValueError(f"it is none of {', '.join(levels)}")
    return name.upper()


SafeUrl = Annotated[str, Field(max_length=500), AfterValidator(_safe)]
Token = Annotated[SecretStr, AfterValidator(_header)]
Level = Annotated[str, AfterValidator(_level)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class WrongSettings(SystemExit):
    """Its line is all that is shown, and the process ends with 1: a traceback helps nobody here."""


class _Environment(EnvSettingsSource):
    """Reads no JSON where nothing is written."""

    def prepare_field_value(
        self, field_name: str, field: FieldInfo, value: Any, value_is_complex: bool
    ) -> Any:
        is_json = value_is_complex or self.field_is_complex(field)
        if is_json and isinstance(value, str) and not value.strip():
            return None
        return super().prepare_field_value(field_name, field, value, value_is_complex)


class ServiceSettings(BaseSettings):
    """Read once, at start; a wrong value ends the start with its name and the reason.

    What is empty is as if it were not set; spaces and line ends around a value are no part of it.
    """

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            raise WrongSettings(_line(self, error)) from None
        except SettingsError as error:
            why = f"{error}: {error.__cause__}" if error.__cause__ else str(error)
            raise WrongSettings(f"this service does not start: {why}") from None

    @model_validator(mode="before")
    @classmethod
    def _stripped(cls, given: dict[str, Any]) -> dict[str, Any]:
        # A secret stays: its sidecar has the same one, and takes it as it is.
        return {
            name: value.strip() if isinstance(value, str) and not cls._is_secret(name) else value
            for name, value in given.items()
            if not isinstance(value, str) or value.strip() or cls._is_secret(name)
        }

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, _Environment(settings_cls), dotenv_settings, file_secret_settings

    @classmethod
    def _is_secret(cls, name: str) -> bool:
        field = cls.model_fields.get(name)
        return field is not None and "Secret" in str(field.annotation)

    app_id: str = Field(pattern=r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$")

    dapr_runtime_host: str = "127.0.0.1"
    dapr_http_port: int = Field(default=3500, ge=1, le=65535)
    dapr_grpc_port: int = Field(default=50001, ge=1, le=65535)
    #: What the sidecar asks of its callers, and what this service asks of its sidecar. Unset: open.
    dapr_api_token: Token | None = None
    app_api_token: Token | None = None

    #: Who may call the API: those with a bearer token that this issuer made for this audience.
    #: Without an issuer, anyone. The URL of its keys is that of its discovery, unless it is given.
    oidc_issuer: SafeUrl | None = None
    oidc_audience: str | None = Field(default=None, max_length=255)
    oidc_jwks_url: SafeUrl | None = None

    # Names of the components; every profile under components/ uses the same ones.
    pubsub: str = "pubsub"
    state_store: str = "statestore"

    #: Ask the sidecar for many messages at once. A broker's profile says where not: see
    #: components/pubsub/kafka/development.env.
    bulk_delivery: bool = True

    #: How long what failed is tried again: for a reason that passes, and for an unknown one.
    retry_seconds: Positive = 45.0
    unknown_retry_seconds: Positive = 30.0

    # At least as long as docs/brokers.md says of the broker in use, which is a week for some.
    inbox_ttl_seconds: int = Field(default=7 * 24 * 3600, ge=60, le=MAX_TTL_SECONDS)
    sidecar_timeout_seconds: Positive = 5.0
    handler_timeout_seconds: Positive = 20.0
    #: How long a step of a saga that can be undone is waited for, retries included.
    step_timeout: timedelta = Field(default=timedelta(minutes=2), gt=timedelta(0))
    start_timeout_seconds: Positive = 60.0

    #: Of one request to the API, one command, one event: what each broker carries. A larger event
    #: is a dead letter.
    max_body_bytes: int = Field(default=256 * 1024, ge=1024, le=MAX_MESSAGE)

    log_level: Level = "INFO"

    #: Where spans go; unset: nowhere. The exporter reads it from the environment itself.
    otel_exporter_otlp_endpoint: AnyHttpUrl | None = None

    @model_validator(mode="after")
    def _issuer_and_audience(self) -> Self:
        # Of a service that shall ask for tokens, a lost setting must not let anyone in.
        if (self.oidc_issuer is None) != (self.oidc_audience is None):
            raise ValueError("OIDC_ISSUER and OIDC_AUDIENCE go together: set both, or none")
        if self.oidc_jwks_url is not None and self.oidc_issuer is None:
            raise ValueError("OIDC_JWKS_URL needs OIDC_ISSUER and OIDC_AUDIENCE")
        return self

    @property
    def dead_letter_topic(self) -> str:
        return f"{self.app_id}-dead-letters"


def _line(settings: ServiceSettings, error: ValidationError) -> str:
    wrong = []
    for each in error.errors(include_url=False):
        name = str(each["loc"][0]) if each["loc"] else ""
        shown = "" if not name or settings._is_secret(name) else f" {each['input']!r}"
        why = each["msg"].removeprefix("Value error, ")
        wrong.append(f"{name.upper()}{shown[:MAX_SHOWN]}: {why}".lstrip(": "))
    return f"this service does not start: {'; '.join(wrong)}. Correct it in its environment."
