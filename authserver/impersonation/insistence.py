"""How often an agent may ask for one customer who does not say yes: a few times, then ever more seldom.

It counts what one agent asks of one customer, whatever the way and however it was answered, so that nobody is worn down
by messages. Other agents may ask, and what the customer does of their own, such as a support code, is not counted.
"""

from collections.abc import Sequence

from authserver.audit.events.impersonations import ExtensionAsked, ImpersonationExtended
from authserver.protocol.refusals import AccessDenied
from authserver.settings_governance import ConsentWays
from authserver.storage import DbSession, asks
from authserver.storage.impersonations import Record


class Insistence:
    """Refuses what would ask once too often; the refusal is that of somebody unknown."""

    def __init__(self, rules: ConsentWays) -> None:
        """Count and wait as `rules` say."""
        self._rules = rules

    def check(self, session: DbSession, actor_id: str, subject_id: str, *, now: int) -> None:
        """Raise AccessDenied for one more ask of an actor for a subject that comes too soon."""
        if self.too_soon(session, actor_id, subject_id, now=now):
            raise AccessDenied("asks.too_many")

    def too_soon(self, session: DbSession, actor_id: str, subject_id: str, *, now: int) -> bool:
        """Tell whether one more ask comes too soon after those that nobody agreed to."""
        return self._waits(asks.unanswered(session, actor_id, subject_id, since_ms=self._since_ms(now)), now)

    def check_extension(self, session: DbSession, record: Record, *, now: int) -> None:
        """Raise AccessDenied for one more longer life that is asked for too soon."""
        asked = asks.events_until(
            session,
            record.id,
            ExtensionAsked.name,
            until=ImpersonationExtended.name,
            since_ms=self._since_ms(now),
        )
        if self._waits(asked, now):
            raise AccessDenied("asks.too_many_extensions")

    def _since_ms(self, now: int) -> int:
        return (now - self._rules.asks_max_wait_seconds) * 1000

    def _waits(self, asked: Sequence[int], now: int) -> bool:
        """Tell whether the wait after the latest is not over; each beyond the free ones doubles it."""
        beyond = len(asked) - self._rules.asks_free
        if beyond < 0:
            return False
        wait = min(self._rules.asks_wait_seconds << beyond, self._rules.asks_max_wait_seconds)
        return now * 1000 < asked[0] + wait * 1000
