"""The index of the letters: a state store cannot list its keys, so pages of summaries do.

A letter, its page and the directory of pages are written in one transaction.
"""

from uuid import UUID

from pydantic import BaseModel

from chassis.deadletters.letter import DeadLetter, Summary
from chassis.transaction import Transaction

#: Of at most 1.5 kB each: a page is an answer of less than 64 kB, and a write of as much.
PAGE_SIZE = 40
DIRECTORY = "dead-letters:pages"


class Directory(BaseModel):
    """The pages in use, oldest first, and how many letters they hold."""

    pages: tuple[int, ...] = ()
    count: int = 0


class Page(BaseModel):
    letters: tuple[Summary, ...] = ()


def page_key(number: int) -> str:
    return f"dead-letters:page:{number}"


def letter_key(letter: UUID) -> str:
    return f"dead-letters:letter:{letter}"


async def keep(letter: DeadLetter, tx: Transaction) -> None:
    """Add the letter, or, if it is there already, what is new about it."""
    if await amend(letter, tx) is not None:
        return
    directory = await tx.get(DIRECTORY, Directory) or Directory()
    last = directory.pages[-1] if directory.pages else 0
    page = await tx.get(page_key(last), Page) or Page()
    pages = directory.pages or (last,)
    if len(page.letters) >= PAGE_SIZE:
        last += 1
        page = await tx.get(page_key(last), Page) or Page()
        pages = (*pages, last)
    tx.put(letter_key(letter.id), letter.model_copy(update={"page": last}))
    tx.put(page_key(last), Page(letters=(*page.letters, letter.summary)))
    tx.put(DIRECTORY, Directory(pages=pages, count=directory.count + 1))


async def amend(letter: DeadLetter, tx: Transaction) -> DeadLetter | None:
    """Add what is new about the letter, its payload needs not be there. None if it is gone."""
    kept = await tx.get(letter_key(letter.id), DeadLetter)
    if kept is None:
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
    left = tuple(each for each in page.letters if each.id != letter_id)
    pages = directory.pages
    if left:
        tx.put(page_key(letter.page), Page(letters=left))
    else:
        tx.delete(page_key(letter.page))
        pages = tuple(number for number in pages if number != letter.page)
    tx.delete(letter_key(letter_id))
    tx.put(DIRECTORY, Directory(pages=pages, count=directory.count - 1))
    return letter


async def _replace(letter: DeadLetter, tx: Transaction) -> None:
    page = await tx.get(page_key(letter.page), Page) or Page()
    letters = tuple(letter.summary if each.id == letter.id else each for each in page.letters)
    tx.put(page_key(letter.page), Page(letters=letters))
    tx.put(letter_key(letter.id), letter)


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
