"""The public keys of an issuer (a JWKS): fetched seldom, kept for a while, never too many bytes."""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import aiohttp
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, import_key

from chassis.errors import Unavailable
from chassis.settings import is_safe

log = logging.getLogger(__name__)

#: Between two requests to the issuer: forged tokens with keys of any name must not become its load.
REFETCH_SECONDS = 10.0
#: After so long they are fetched again, so that a withdrawn key is none any more; while the issuer
#: is away, those that are known are good for so much longer.
FRESH_SECONDS, GOOD_SECONDS = 600.0, 3600.0
#: Of one request to the issuer.
FETCH_SECONDS = 5.0
#: Bytes of what it answers, and keys of it that are kept.
MAX_BYTES, MAX_KEYS = 256 * 1024, 100
#: With any other kind of key a signature is no proof of the issuer.
KINDS = ("RSA", "EC", "OKP")


class IssuerKeys:
    def __init__(
        self,
        issuer: str,
        jwks_url: str | None = None,
        *,
        now: Callable[[], float] = time.monotonic,
        refetch_seconds: float = REFETCH_SECONDS,
    ) -> None:
        """Without a URL, the issuer's own discovery says where its keys are."""
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._now = now
        self._refetch_seconds = refetch_seconds
        self._keys: dict[str, Any] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._why_away: str | None = None
        self._fetching = asyncio.Lock()

    async def with_id(self, kid: object) -> KeySet:
        """All keys; the one of this id is among them, unless the issuer does not have it.

        Raises `Unavailable` if that cannot be said.
        """
        if self._needs(kid):
            async with self._fetching:
                # Another request may have fetched them meanwhile.
                if self._needs(kid) and self._now() - self._tried_at >= self._refetch_seconds:
                    await self._fetch()
        known = self._now() - self._fetched_at < FRESH_SECONDS + GOOD_SECONDS
        if not known or (self._why_away is not None and not self._has(kid)):
            raise Unavailable(f"callers cannot be authenticated now: {self._why_away}")
        return KeySet(list(self._keys.values()))

    def _needs(self, kid: object) -> bool:
        return self._now() - self._fetched_at >= FRESH_SECONDS or not self._has(kid)

    def _has(self, kid: object) -> bool:
        return kid in self._keys if isinstance(kid, str) else bool(self._keys)

    async def _fetch(self) -> None:
        self._tried_at = self._now()
        timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as http:
                found = await _json(http, self._jwks_url or await self._discover(http))
            self._keys = _usable(found)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            self._why_away = f"the keys of {self._issuer} could not be fetched: {error!r}"[:500]
            log.warning("%s", self._why_away)
        else:
            self._fetched_at, self._why_away = self._tried_at, None

    async def _discover(self, http: aiohttp.ClientSession) -> str:
        base = self._issuer.rstrip("/")
        said = await _json(http, f"{base}/.well-known/openid-configuration")
        if said.get("issuer") != self._issuer:
            raise ValueError(f"its discovery is that of the issuer {said.get('issuer')!r}")
        url = said.get("jwks_uri")
        if not isinstance(url, str) or not is_safe(url):
            raise ValueError(f"its discovery names no safe jwks_uri: {url!r}")
        return url


async def _json(http: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    async with http.get(url, allow_redirects=False, raise_for_status=True) as response:
        body = bytearray()
        async for part in response.content.iter_any():
            body += part
            if len(body) > MAX_BYTES:
                raise ValueError(f"{url} has more than {MAX_BYTES} bytes")
    if response.status != 200:
        raise ValueError(f"{url} answers {response.status}")
    said = json.loads(bytes(body))
    if not isinstance(said, dict):
        raise ValueError(f"{url} is no JSON object")
    return said


def _usable(jwks: dict[str, Any]) -> dict[str, Any]:
    """The keys that sign, by id. One that cannot be read must not take the others along."""
    keys: dict[str, Any] = {}
    listed = jwks.get("keys")
    for each in listed[:MAX_KEYS] if isinstance(listed, list) else ():
        if not isinstance(each, dict) or each.get("kty") not in KINDS or each.get("use") == "enc":
            continue
        try:
            key = import_key(each)
            keys[str(each.get("kid") or key.thumbprint())] = key
        except (JoseError, ValueError, TypeError, KeyError) as error:
            log.warning("a key of the issuer cannot be read: %s", type(error).__name__)
    if not keys:
        raise ValueError("it lists no key that signs")
    return keys
