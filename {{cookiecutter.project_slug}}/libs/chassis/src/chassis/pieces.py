"""A bulk, taken apart while it comes in: its entries one by one, and none larger than it may be."""

import re
from collections.abc import Iterator

from chassis.errors import Rejected
from chassis.settings import MAX_MESSAGE

#: Bytes of one string; what is longer is cut, and stays base64. It is a little more than the
#: largest message has, so that whoever gets it sees that it is too large.
MAX_STRING = (MAX_MESSAGE // 3 + 1) * 4
#: Of one entry without its longest string, and of what surrounds the entries.
MAX_REST = 64 * 1024
#: A delivery is three deep.
MAX_DEPTH = 100

_OUTSIDE = re.compile(rb'["{}\[\]]')
_INSIDE = re.compile(rb'["\\]')


class Pieces:
    """Takes the bytes of `{"entries": [{…}, {…}], …}`, and gives out each entry as it is complete.

    What surrounds the entries is kept in `rest`: all of a delivery that is no bulk.
    """

    def __init__(self) -> None:
        self.rest = bytearray()
        self._entry = bytearray()
        self._kept = self.rest
        #: The brackets that are open.
        self._open = bytearray()
        self._in_string = self._escaped = False
        self._length = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Raises `Rejected` for what no sidecar sends."""
        at = 0
        while at < len(chunk):
            if self._in_string:
                at = self._string(chunk, at)
            else:
                found = _OUTSIDE.search(chunk, at)
                end = found.end() if found else len(chunk)
                if found and found[0] == b"{" and self._open == b"{[":
                    self._kept, at = self._entry, end - 1
                self._keep(chunk[at:end])
                at = end
                if found:
                    yield from self._turn(found[0])

    def _turn(self, mark: bytes) -> Iterator[bytes]:
        if mark == b'"':
            self._in_string, self._length = True, 0
        elif mark in b"{[":
            self._open += mark
            if len(self._open) > MAX_DEPTH:
                raise Rejected("not a delivery of messages: brackets within brackets")
        elif self._open:
            del self._open[-1]
            if self._kept is self._entry and len(self._open) == 2:
                yield bytes(self._entry)
                self._entry.clear()
                self._kept = self.rest

    def _string(self, chunk: bytes, at: int) -> int:
        """Keep what belongs to the string, and return where to go on."""
        if self._escaped:
            self._escaped = False
            self._keep(chunk[at : at + 1])
            return at + 1
        found = _INSIDE.search(chunk, at)
        end = found.start() if found else len(chunk)
        room = max(MAX_STRING - self._length, 0)
        self._keep(chunk[at : min(end, at + room)])
        self._length += end - at
        if found is None:
            return end
        self._in_string, self._escaped = found[0] != b'"', found[0] == b"\\"
        self._keep(found[0])
        return end + 1

    def _keep(self, part: bytes) -> None:
        self._kept += part
        if len(self._kept) > MAX_STRING + MAX_REST:
            raise Rejected("not a delivery of messages: what is no message in it is too large")
