"""An issuer of bearer tokens on loopback: the real routes of `oidc-provider-mock`, and its key."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import flask
import httpx
import oidc_provider_mock
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import BaseWSGIServer, make_server

AUDIENCE = "shop"
REDIRECT = "http://localhost/signed-in"


class Issuer:
    """Stopped and started again, it has another key, as after a rotation."""

    def __init__(self) -> None:
        self._server: BaseWSGIServer | None = None
        self._port = 0
        #: What was asked of it, by path.
        self.asked: list[str] = []
        self.start()

    @property
    def url(self) -> str:
        return f"http://localhost:{self._port}"

    def start(self) -> None:
        app = oidc_provider_mock.app()

        def note() -> None:
            self.asked.append(flask.request.path)
            self._key = flask.g.oidc_provider_mock_storage.jwk

        app.before_request(note)
        self._server = make_server("localhost", self._port, app, threaded=True)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        httpx.get(f"{self.url}/jwks").raise_for_status()
        self.asked.clear()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @property
    def key(self) -> RSAKey:
        return RSAKey.import_key(self._key.as_dict(is_private=True))

    def sign_in(self, subject: str) -> str:
        """The ID token that the issuer itself makes for a client that is named as our audience."""
        with httpx.Client(base_url=self.url) as client:
            asked = {"response_type": "code", "client_id": AUDIENCE, "redirect_uri": REDIRECT}
            allowed = client.post(
                "/oauth2/authorize", params=asked | {"scope": "openid"}, data={"sub": subject}
            )
            code = httpx.URL(allowed.headers["location"]).params["code"]
            given = client.post(
                "/oauth2/token",
                auth=(AUDIENCE, "secret"),
                data={
                    "grant_type": "authorization_code",
                    "code": code,
                    "redirect_uri": REDIRECT,
                },
            )
            return str(given.raise_for_status().json()["id_token"])

    def token(self, subject: str = "ada", *scopes: str, **claims: Any) -> str:
        """As an access token of its own, with other claims where they are given; None: without."""
        return self.signed(self.key, {"alg": "RS256"}, subject, *scopes, **claims)

    def signed(
        self, key: Any, header: dict[str, Any], subject: str = "ada", *scopes: str, **claims: Any
    ) -> str:
        now = int(time.time())
        said = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": subject,
            "iat": now,
            "exp": now + 300,
            "scope": " ".join(scopes),
        } | claims
        kept = {name: value for name, value in said.items() if value is not None}
        kid = {"kid": str(self.key.kid or self.key.thumbprint())} if self.key.kid else {}
        return jwt.encode(kid | header, kept, key, algorithms=[header["alg"]])


@contextmanager
def issuer() -> Iterator[Issuer]:
    started = Issuer()
    try:
        yield started
    finally:
        started.stop()
