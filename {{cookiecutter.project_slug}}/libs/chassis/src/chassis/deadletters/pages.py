"""The index of the letters: a state store cannot list its keys, so pages of summaries do.

A letter, its page and the directory of pages are written in one transaction.
"""

from typing import Self
from uuid import UUID

from pydantic import BaseModel

from chassis.deadletters.letter import DeadLetter, Summary
from chassis.transaction import Transaction

#: Of at most 1.5 kB each: a page is an answer of less than 64 kB, and a write of as much.
PAGE_SIZE = 40
DIRECTORY = "dead-letters:pages"


class Page(BaseModel):
    letters: tuple[Summary, ...] = ()

    @property
    def is_retrying(self) -> bool:
        return any(letter.kind == "retrying" for letter in self.letters)


class Directory(BaseModel):
    """The pages in use, oldest first, and how many letters they hold."""

    pages: tuple[int, ...] = ()
    count: int = 0
    #: Pages with letters that are tried again. None: it was written before these were listed.
    retrying: tuple[int, ...] | None = None

    @property
    def may_be_retrying(self) -> tuple[int, ...]:
        return self.pages if self.retrying is None else self.retrying

    def updated(self, number: int, page: Page, more: int = 0) -> Self:
        """With this page as it is now, and so many letters more."""
        pages, retrying = set(self.pages) - {number}, set(self.may_be_retrying) - {number}
        if page.letters:
            pages.add(number)
        if page.is_retrying:
            retrying.add(number)
        return type(self)(
            pages=tuple(sorted(pages)),
            count=self.count + more,
            retrying=tuple(sorted(retrying)),
        )


def page_key(number: int) -> str:
    return f"dead-letters:page:{number}"


def letter_key(letter: UUID) -> str:
    return f"dead-letters:letter:{letter}"


async def keep(letter: DeadLetter, tx: Transaction) -> None:
    """Add the letter, or, if it is there already, what is new about it."""
    kept = await tx.get(letter_key(letter.id), DeadLetter)
    if kept is not None:
        await _replace(_merged(kept, letter), tx)
        return
    directory = await tx.get(DIRECTORY, Directory) or Directory()
    last = directory.pages[-1] if directory.pages else 0
    page = await tx.get(page_key(last), Page) or Page()
    if len(page.letters) >= PAGE_SIZE:
        last += 1
        page = await tx.get(page_key(last), Page) or Page()
    page = Page(letters=(*page.letters, letter.summary))
    tx.put(letter_key(letter.id), letter.model_copy(update={"page": last}))
    tx.put(page_key(last), page)
    tx.put(DIRECTORY, directory.updated(last, page, 1))


async def amend(letter: DeadLetter, tx: Transaction) -> DeadLetter | None:
    """Add what is new about the letter, its payload needs not be there.

    None if it is gone, or if it is said to be tried again, and somebody else has ended that.
    """
    kept = await tx.get(letter_key(letter.id), DeadLetter)
    if kept is None or (letter.kind == "retrying" and kept.kind != "retrying"):
        return None
    amended = _merged(kept, letter)
    await _replace(amended, tx)
    return amended


async def remove(letter_id: UUID, tx: Transaction) -> DeadLetter | None:
    """Remove the letter from the store and from its page. None if it is gone already."""
    letter = await tx.get(letter_key(letter_id), DeadLetter)
    if letter is None:
        return None
    directory = await tx.get(DIRECTORY, Directory) or Directory()
    page = await tx.get(page_key(letter.page), Page) or Page()
    left = Page(letters=tuple(each for each in page.letters if each.id != letter_id))
    if left.letters:
        tx.put(page_key(letter.page), left)
    else:
        tx.delete(page_key(letter.page))
    tx.delete(letter_key(letter_id))
    tx.put(DIRECTORY, directory.updated(letter.page, left, -1))
    return letter


async def _replace(letter: DeadLetter, tx: Transaction) -> None:
    page = await tx.get(page_key(letter.page), Page) or Page()
    letters = tuple(letter.summary if each.id == letter.id else each for each in page.letters)
    replaced = Page(letters=letters)
    tx.put(page_key(letter.page), replaced)
    tx.put(letter_key(letter.id), letter)
    if replaced.is_retrying != page.is_retrying:
        directory = await tx.get(DIRECTORY, Directory) or Directory()
        tx.put(DIRECTORY, directory.updated(letter.page, replaced))


def _merged(kept: DeadLetter, again: DeadLetter) -> DeadLetter:
    """Delivered again after it was kept, or replayed in vain: it failed once more."""
    known = again.attempts > 0
    return kept.model_copy(
        update={
            "kind": again.kind if known else kept.kind,
            "cause": again.cause if known else kept.cause,
            "attempts": kept.attempts + again.attempts,
            "topic": kept.topic or again.topic,
            "adoptions": again.adoptions,
        }
    )
