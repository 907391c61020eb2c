"""Who calls: bearer tokens of a real issuer, and of those who would like to be it."""

import base64
import hmac
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter
from joserfc.jwk import RSAKey

from chassis import Caller, ClientRoute, IdempotencyKey, needs
from chassis.issuer_keys import IssuerKeys
from chassis.logs import Context
from chassis.oidc import OidcAuthentication
from chassis.ports import CLOCK
from chassis.service import Service
from chassis.settings import ServiceSettings, WrongSettings
from testkit import memory_ports, running
from testkit.issuer import AUDIENCE, Issuer, issuer

router = APIRouter(route_class=ClientRoute)


@router.get("/who")
async def who(caller: Caller) -> dict[str, Any]:
    record = logging.makeLogRecord({})
    Context("shop").filter(record)
    assert getattr(record, "caller", "") == (str(caller) if caller.is_known else "")
    return {"issuer": caller.issuer, "subject": caller.subject, "scopes": sorted(caller.scopes)}


@router.post("/keys")
async def keys(key: IdempotencyKey) -> str:
    return key


@router.get("/staff", dependencies=[needs("staff")])
async def staff() -> None:
    """What customers may not do."""


@pytest.fixture(scope="module")
def shared() -> Iterator[Issuer]:
    with issuer() as started:
        yield started


@pytest.fixture
def own() -> Iterator[Issuer]:
    """One that the test may stop."""
    with issuer() as started:
        yield started


def shop(settings: ServiceSettings, of: Issuer, refetch_seconds: float = 0.0) -> Service:
    keys = IssuerKeys(of.url, refetch_seconds=refetch_seconds)
    ports = memory_ports(authentication=OidcAuthentication(of.url, AUDIENCE, keys, CLOCK))
    service = Service(settings, title="Shop", ports=ports)
    service.app.include_router(router)
    return service


@pytest.fixture
async def client(settings: ServiceSettings, shared: Issuer) -> AsyncIterator[httpx.AsyncClient]:
    async with running(shop(settings, shared)) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_the_caller_is_who_the_issuer_says(client: httpx.AsyncClient, shared: Issuer) -> None:
    response = await client.get("/who", headers=bearer(shared.sign_in("ada")))
    assert response.json() == {"issuer": shared.url, "subject": "ada", "scopes": []}
    token = shared.token("bob", "staff", "more")
    response = await client.get("/who", headers=bearer(token))
    assert response.json() == {"issuer": shared.url, "subject": "bob", "scopes": ["more", "staff"]}


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def unsigned(of: Issuer) -> str:
    _, payload, _ = of.token().split(".")
    return f"{encoded(json.dumps({'alg': 'none'}).encode())}.{payload}."


def signed_with_the_public_key(of: Issuer) -> str:
    """By hand: the library refuses to make such a token, too."""
    header = encoded(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    _, payload, _ = of.token().split(".")
    public = of.key.as_pem(private=False)
    signature = hmac.digest(public, f"{header}.{payload}".encode(), "sha256")
    return f"{header}.{payload}.{encoded(signature)}"


def changed(of: Issuer) -> str:
    header, _, signature = of.token().split(".")
    _, payload, _ = of.token("bob").split(".")
    return f"{header}.{payload}.{signature}"


FORGED: dict[str, Callable[[Issuer], str]] = {
    "expired": lambda of: of.token(exp=int(time.time()) - 60),
    "without an end": lambda of: of.token(exp=None),
    "not yet valid": lambda of: of.token(nbf=int(time.time()) + 60),
    "for another audience": lambda of: of.token(aud="another"),
    "for no audience": lambda of: of.token(aud=None),
    "of another issuer": lambda of: of.token(iss="https://issuer.example"),
    "of no subject": lambda of: of.token(sub=None),
    "of an empty subject": lambda of: of.token(""),
    "of a subject with a control character": lambda of: of.token("ada\x1f"),
    "signed with another key": lambda of: of.signed(RSAKey.generate_key(2048), {"alg": "RS256"}),
    "signed with another key of another id": lambda of: of.signed(
        RSAKey.generate_key(2048), {"alg": "RS256", "kid": "another"}
    ),
    "not signed": unsigned,
    "signed with the public key as a secret": signed_with_the_public_key,
    "changed": changed,
    "no token": lambda _: "no-token",
    "empty": lambda _: "",
    "no JSON": lambda _: "e30.e30.e30",
    "too long": lambda of: of.token("a" * 20_000),
}


@pytest.mark.parametrize("kind", FORGED)
async def test_a_token_that_is_not_valid_is_refused(
    caplog: pytest.LogCaptureFixture, client: httpx.AsyncClient, shared: Issuer, kind: str
) -> None:
    token = FORGED[kind](shared)
    response = await client.get("/who", headers=bearer(token))
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["www-authenticate"] == "Bearer"
    logged = caplog.text
    assert "refused a caller" in logged
    assert not token or token not in response.text + logged


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
async def test_without_a_token_nothing_of_the_api_answers(
    client: httpx.AsyncClient, method: str
) -> None:
    assert (await client.request(method, "/who")).status_code == 401
    basic = {"authorization": "Basic YWRhOnNlY3JldA=="}
    assert (await client.request(method, "/who", headers=basic)).status_code == 401


async def test_two_tokens_are_none(client: httpx.AsyncClient, shared: Issuer) -> None:
    twice = [("authorization", f"Bearer {shared.token()}")] * 2
    assert (await client.get("/who", headers=twice)).status_code == 401


async def test_probes_need_no_caller_and_the_sidecar_none(client: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/metrics", "/dead-letters"):
        assert (await client.get(path)).status_code == 200


async def test_a_token_of_the_key_that_follows_is_taken_after_a_rotation(
    settings: ServiceSettings, own: Issuer
) -> None:
    async with running(shop(settings, own)) as client:
        before = own.token()
        assert (await client.get("/who", headers=bearer(before))).status_code == 200
        own.stop()
        own.start()
        assert (await client.get("/who", headers=bearer(own.token()))).status_code == 200
        assert (await client.get("/who", headers=bearer(before))).status_code == 401


async def test_forged_tokens_do_not_become_the_load_of_the_issuer(
    settings: ServiceSettings, own: Issuer
) -> None:
    async with running(shop(settings, own, refetch_seconds=60)) as client:
        for number in range(5):
            forged = own.signed(own.key, {"alg": "RS256", "kid": f"no-{number}"})
            assert (await client.get("/who", headers=bearer(forged))).status_code == 401
    assert own.asked.count("/jwks") == 1


async def test_while_the_issuer_is_away_nobody_new_gets_in_and_is_asked_to_try_again(
    settings: ServiceSettings, own: Issuer
) -> None:
    token = own.token()
    async with running(shop(settings, own)) as client:
        own.stop()
        response = await client.get("/who", headers=bearer(token))
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert response.headers["content-type"] == "application/problem+json"
        own.start()
        assert (await client.get("/who", headers=bearer(own.token()))).status_code == 200
        own.stop()
        # Its keys are known, and good for a while.
        assert (await client.get("/who", headers=bearer(own.token()))).status_code == 200


async def test_known_keys_are_not_good_for_ever(own: Issuer) -> None:
    now = 0.0
    keys = IssuerKeys(own.url, now=lambda: now)
    authentication = OidcAuthentication(own.url, AUDIENCE, keys, CLOCK)
    await authentication.identify(own.token())
    own.stop()
    now = 3600.0
    await authentication.identify(own.token())
    now = 3 * 3600.0
    with pytest.raises(Exception, match="callers cannot be authenticated now"):
        await authentication.identify(own.token())


async def test_a_scope_guards_what_customers_may_not_do(
    client: httpx.AsyncClient, shared: Issuer
) -> None:
    refused = await client.get("/staff", headers=bearer(shared.token("ada", "other")))
    assert (refused.status_code, refused.json()["title"]) == (403, "Forbidden")
    taken = await client.get("/staff", headers=bearer(shared.token("eve", "staff")))
    assert taken.status_code == 200


async def test_one_key_of_two_callers_is_two_keys(
    client: httpx.AsyncClient, shared: Issuer
) -> None:
    async def key_of(subject: str) -> str:
        headers = bearer(shared.token(subject)) | {"idempotency-key": "1"}
        return str((await client.post("/keys", headers=headers)).json())

    assert await key_of("ada") == await key_of("ada") != await key_of("bob")


async def test_without_an_issuer_anyone_may_call_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture, service: Service
) -> None:
    service.app.include_router(router)
    async with running(service) as client:
        assert (await client.get("/who")).json()["subject"] == ""
        assert (await client.get("/staff")).status_code == 200
    assert "anyone may call the API of bank" in caplog.text


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"oidc_issuer": "https://issuer.example"}, "set both, or none"),
        ({"oidc_audience": "shop"}, "set both, or none"),
        ({"oidc_issuer": "http://issuer.example", "oidc_audience": "shop"}, "no https:// URL"),
        ({"oidc_jwks_url": "https://issuer.example/jwks"}, "needs OIDC_ISSUER"),
    ],
)
def test_a_service_does_not_start_with_half_an_issuer(wrong: dict[str, str], why: str) -> None:
    with pytest.raises(WrongSettings, match=why):
        ServiceSettings(app_id="bank", **wrong)
