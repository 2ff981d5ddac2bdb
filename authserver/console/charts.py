"""Pictures of figures, as SVG that templates write: lengths along the page in percent, for words keep their size."""

from collections.abc import Sequence
from dataclasses import dataclass

_WORDS = 38
_HEIGHT = 160
"""Pixels that the highest column has."""
_GAP = 0.24
"""The part of a column's room that stays free."""
_LABELS = 4
_FEW = 7
_ROW = 44
_STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a column: what it stands for, and where it stands."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column with its pieces, the lowest first; `says` is all of it in words."""

    x: float
    width: float
    says: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """Words at a place: in percent along the page for a day, in pixels down it for a height."""

    at: float
    words: str
    anchor: str = "middle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """A picture of columns, from the left to the right."""

    columns: tuple[Column, ...]
    heights: tuple[Mark, ...]
    marks: tuple[Mark, ...]
    height: int = _HEIGHT

    @classmethod
    def of(cls, days: Sequence[tuple[str, str, Sequence[tuple[str, int]]]]) -> "Columns":
        """Draw days: each a label, all of it in words, and its pieces (kind and count)."""
        top = ceiling(max((sum(count for _, count in parts) for _, _, parts in days), default=0))
        room = 100 / max(len(days), 1)
        columns = tuple(
            Column(
                x=round((index + _GAP / 2) * room, 3),
                width=round(room * (1 - _GAP), 3),
                says=says,
                parts=_stacked(parts, top),
            )
            for index, (_, says, parts) in enumerate(days)
        )
        heights = tuple(Mark(round(_HEIGHT * (1 - share), 1), f"{top * share:g}") for share in _shares(top))
        return cls(columns=columns, heights=heights, marks=_marks([label for label, _, _ in days]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A bar: its words above it, and its length in percent of the longest."""

    y: int
    words: str
    count: str
    length: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """A picture of bars, one under the other."""

    bars: tuple[Bar, ...]
    height: int

    @classmethod
    def of(cls, rows: Sequence[tuple[str, int]], *, most: int = 8) -> "Bars":
        """Draw rows of words and a count; what is over so many stands in the table alone."""
        longest = max((count for _, count in rows), default=0) or 1
        bars = tuple(
            Bar(y=index * _ROW, words=_cut(words), count=f"{count:,}", length=round(100 * count / longest, 2))
            for index, (words, count) in enumerate(rows[:most])
        )
        return cls(bars=bars, height=max(len(bars) * _ROW - 10, 1))


def ceiling(most: int) -> int:
    """Return a round number that is no less than `most`: 1, 2, 5, 10, 20, 50, and so on."""
    scale = 1
    while True:
        for step in _STEPS:
            if step * scale >= most:
                return step * scale
        scale *= 10


def _shares(top: int) -> tuple[float, ...]:
    """Return which heights are named: the half only where it is a whole number."""
    return (0, 0.5, 1) if top % 2 == 0 else (0, 1)


def _stacked(parts: Sequence[tuple[str, int]], top: int) -> tuple[Part, ...]:
    found, below = [], 0
    for kind, count in parts:
        below += count
        if count:
            found.append(Part(kind, round(_HEIGHT * (1 - below / top), 2), round(_HEIGHT * count / top, 2)))
    return tuple(found)


def _marks(labels: Sequence[str]) -> tuple[Mark, ...]:
    """Return the labels that are shown: the first, the last, and as many between them as there is room for."""
    last = len(labels) - 1
    room = 100 / max(len(labels), 1)
    if len(labels) <= _FEW:
        step = 1 if len(labels) <= _LABELS else 2
        return tuple(Mark(round((at + 0.5) * room, 3), label) for at, label in enumerate(labels) if at % step == 0)
    shown = sorted({round(last * index / (_LABELS - 1)) for index in range(_LABELS)})
    anchors = {0: "start", last: "end"}
    places = {0: 0.0, last: 100.0}
    return tuple(
        Mark(round(places.get(at, (at + 0.5) * room), 3), labels[at], anchors.get(at, "middle")) for at in shown
    )


def _cut(words: str) -> str:
    return words if len(words) <= _WORDS else f"{words[: _WORDS - 1]}…"
