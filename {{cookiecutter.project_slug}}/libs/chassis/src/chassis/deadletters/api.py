"""The dead letters of a service over HTTP: list, look, replay, discard."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, FastAPI, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field

from chassis.deadletters.kept import Discard, Handle, KeptLetters, Listed
from chassis.deadletters.letter import DeadLetter, Summary
from chassis.guard import SidecarRoute

PageNumber = Annotated[int | None, Query(ge=0, le=2**31, description="`next_page` of the last.")]


class LetterView(Summary):
    payload: Any = Field(description="The message as it came: JSON if it is JSON, else text.")
    encoding: str = Field(description="base64 if the message is not text, else utf-8.")
    size: int = Field(description="Bytes of the message as it came.")

    @classmethod
    def of(cls, letter: DeadLetter) -> "LetterView":
        payload, encoding = letter.content
        known = letter.model_dump(exclude={"page", "payload", "encoding"})
        return cls(**known, payload=payload, encoding=encoding)


class Reason(BaseModel):
    """Why a letter is discarded, and who decided it."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=500, pattern=r"\S")
    by: str = Field(default="unknown", min_length=1, max_length=100)


class Replayed(BaseModel):
    id: UUID
    topic: str


def add_routes(app: FastAPI, kept: KeptLetters, handle: Handle) -> None:
    async def find(letter_id: UUID) -> DeadLetter:
        letter = await kept.find(letter_id)
        if letter is not None:
            return letter
        discarded = await kept.discarded(letter_id)
        if discarded is not None:
            raise HTTPException(410, f"discarded by {discarded.by}: {discarded.reason}")
        raise HTTPException(404, f"there is no dead letter {letter_id}: it may be replayed already")

    async def list_letters(page: PageNumber = None) -> Listed:
        return await kept.page(page)

    async def show_letter(letter_id: UUID) -> LetterView:
        return LetterView.of(await find(letter_id))

    async def replay_letter(letter_id: UUID) -> Replayed:
        letter = await find(letter_id)
        await kept.replay(letter, handle)
        return Replayed(id=letter.id, topic=str(letter.topic))

    async def discard_letter(letter_id: UUID, why: Reason) -> Discard:
        return await kept.discard(await find(letter_id), why.reason, why.by)

    router = APIRouter(prefix="/dead-letters", route_class=SidecarRoute, tags=["Dead letters"])
    router.add_api_route("", list_letters)
    router.add_api_route("/{letter_id}", show_letter)
    router.add_api_route("/{letter_id}/replay", replay_letter, methods=["POST"])
    router.add_api_route("/{letter_id}/discard", discard_letter, methods=["POST"])
    app.include_router(router)
