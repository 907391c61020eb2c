"""Bearer tokens of an OpenID Connect issuer: JWTs whose signature, issuer and times fit."""

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import extract_compact

from chassis.callers import Identity, Unauthenticated
from chassis.issuer_keys import IssuerKeys
from chassis.ports import Clock

#: Signatures with a private key alone. With HS256 the public key, which everybody has, would do.
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
#: Between the clocks of issuer and service.
LEEWAY_SECONDS = 30
#: Characters of a token, and of whom it names.
MAX_TOKEN, MAX_SUBJECT = 16 * 1024, 255


class OidcAuthentication:
    def __init__(self, issuer: str, audience: str, keys: IssuerKeys, clock: Clock) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._clock = clock

    async def identify(self, token: str | None) -> Identity:
        if token is None:
            raise Unauthenticated("there is no bearer token")
        if len(token) > MAX_TOKEN:
            raise Unauthenticated(f"the token is longer than {MAX_TOKEN} characters")
        try:
            header = extract_compact(token.encode()).headers()
            keys = await self._keys.with_id(header.get("kid"))
            # The algorithm is one of ours, whatever the token says.
            claims = jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims
            self._claims().validate(claims)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            # Whatever a library stumbles over in a forged token, it is not valid.
            raise Unauthenticated(f"the token is not valid: {type(error).__name__}") from error
        subject, scopes = claims["sub"], claims.get("scope")
        if not (0 < len(subject) <= MAX_SUBJECT and subject.isprintable()):
            raise Unauthenticated("the token names no usable subject")
        return Identity(
            self._issuer, subject, frozenset(scopes.split() if isinstance(scopes, str) else ())
        )

    def _claims(self) -> jwt.JWTClaimsRegistry:
        return jwt.JWTClaimsRegistry(
            now=int(self._clock.now().timestamp()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._audience},
            exp={"essential": True},
            sub={"essential": True},
        )
