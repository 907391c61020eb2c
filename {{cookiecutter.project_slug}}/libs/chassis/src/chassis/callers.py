"""Who calls the API of a service, as its issuer says."""

from dataclasses import dataclass
from typing import Protocol

from chassis.cloudevents import derived_id


@dataclass(frozen=True, slots=True)
class Identity:
    """Issuer and subject together are unique; a subject alone is not (OpenID Connect Core, 2)."""

    issuer: str
    subject: str
    scopes: frozenset[str] = frozenset()

    @property
    def is_known(self) -> bool:
        return bool(self.issuer)

    @property
    def id(self) -> str:
        """One for each caller, of any issuer: part of keys in the store, and of derived ids."""
        return derived_id(self.issuer, self.subject)

    def __str__(self) -> str:
        return f"{self.subject} of {self.issuer}"


#: The caller where nobody is asked for a token.
ANYONE = Identity("", "")


class Unauthenticated(Exception):
    """There is no token, or it is not valid. Says why, and nothing of the token itself."""


class Authentication(Protocol):
    async def identify(self, token: str | None) -> Identity:
        """Whose bearer token this is.

        Raises `Unauthenticated`, and `Unavailable` while that cannot be said.
        """
