"""A process of ours that takes the place of an app beside its running sidecar."""

from pydantic import SecretStr

from chassis import ServiceSettings
from workspace import tokens
from workspace.daprfile import App


def settings_beside(app: App) -> ServiceSettings:
    """Those with which it reaches the sidecar. Raises `StackError` for a token that is none."""
    token = tokens.of(app.app_id).get(tokens.API_TOKEN)
    return ServiceSettings(
        app_id=app.app_id,
        dapr_http_port=app.http_port,
        dapr_grpc_port=app.grpc_port,
        dapr_api_token=None if token is None else SecretStr(token),
    )
