"""What the next session is to go through, and how long a device waits for a hand: set by tests and demonstrations."""

import threading
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, get_args

Next = Literal["queue", "error", "sessionError", "slow", "die"]
_INACTIVITY_SECONDS = 120
_MAX_SECONDS, _MAX_POSITIONS, _MAX_WAITING = 3600, 100, 100
_SECONDS = {"queue": 1.0, "slow": 5.0, "die": 2.0}
_KEYS = frozenset({"next", "seconds", "positions", "type", "name", "inactivity_seconds"})


class ControlError(ValueError):
    """The order is not one that this device knows."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What befalls one session: `seconds` a place in the queue, of starting, or until it dies."""

    next: Next
    seconds: float
    positions: int
    type: Literal["session", "concurrent"]
    name: str


@dataclass(frozen=True, slots=True)
class Order:
    """A fate for the next session that has none yet, or another time without interaction, or both."""

    fate: Fate | None
    inactivity_seconds: float | None

    @classmethod
    def parse(cls, body: object) -> Self:
        """Take an order, or raise ControlError."""
        if not isinstance(body, dict) or not body.keys() <= _KEYS or not body.keys() & {"next", "inactivity_seconds"}:
            raise ControlError("an order has `next` or `inactivity_seconds`, and nothing unknown")
        inactivity = None
        if "inactivity_seconds" in body:
            inactivity = _number(body["inactivity_seconds"], "inactivity_seconds", 1, _MAX_SECONDS)
        return cls(fate=_fate(body) if "next" in body else None, inactivity_seconds=inactivity)


def _fate(body: dict[str, Any]) -> Fate:
    wanted, kind, name = body["next"], body.get("type", "session"), body.get("name", "demo")
    if wanted not in get_args(Next):
        raise ControlError(f"`next` is one of {', '.join(get_args(Next))}")
    if kind not in {"session", "concurrent"} or not isinstance(name, str):
        raise ControlError("`type` is session or concurrent, `name` a text")
    return Fate(
        next=wanted,
        seconds=_number(body.get("seconds", _SECONDS.get(wanted, 0.0)), "seconds", 0, _MAX_SECONDS),
        positions=int(_number(body.get("positions", 2), "positions", 1, _MAX_POSITIONS)),
        type=kind,
        name=name,
    )


def _number(value: object, name: str, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ControlError(f"`{name}` is a number from {least} to {most}")
    return float(value)


class Control:
    """The orders that are still to be carried out, and each session's share of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fates: deque[Fate] = deque(maxlen=_MAX_WAITING)
        self._inactivity_seconds: float = _INACTIVITY_SECONDS

    def take(self, order: Order) -> None:
        """Keep an order; fates are met in the order in which they came."""
        with self._lock:
            if order.fate is not None:
                self._fates.append(order.fate)
            if order.inactivity_seconds is not None:
                self._inactivity_seconds = order.inactivity_seconds

    def plan(self) -> dict[str, Any]:
        """Give a new session its fate, which is used up, and its time without interaction."""
        with self._lock:
            fate = self._fates.popleft() if self._fates else None
            return {"fate": None if fate is None else asdict(fate), "inactivity_seconds": self._inactivity_seconds}
