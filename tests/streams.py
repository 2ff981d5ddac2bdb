"""Reading server-sent events (HTML Living Standard §9.2.6), as far as the server writes them."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Heard:
    """One event."""

    event: str
    id: int
    data: dict[str, Any]


def blocks(chunks: Iterable[bytes]) -> Iterator[str]:
    """Give what stands between empty lines, as it comes."""
    waiting = b""
    for chunk in chunks:
        *whole, waiting = (waiting + chunk).split(b"\n\n")
        yield from (block.decode() for block in whole)
    assert not waiting


def heard(chunks: Iterable[bytes]) -> Iterator[Heard]:
    """Give the events as they come; comments, what only fills silence, and how soon to come back, are passed over."""
    for block in blocks(chunks):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        if "data" in fields and fields["event"] != "alive":
            yield Heard(fields["event"], int(fields["id"]), json.loads(fields["data"]))
