"""`/account/live`: what the customer's open pages ask every few seconds, to learn that something has changed."""

import threading
from collections import Counter
from http import HTTPStatus

from flask import Blueprint, Response

from authserver.clock import Clock
from authserver.pages.customer import version
from authserver.pages.parts import PageParts
from authserver.protocol.access import Caller, Credential, Relation, may_call
from authserver.protocol.refusals import Forbidden, InvalidToken, Refusal, TooMany
from authserver.storage import people
from authserver.storage.database import Work, unit_of_work
from authserver.web.refusals import Trace, json_answer, new_trace, problem

_WINDOW_SECONDS = 60
_LOOKS = 180
"""How often a person's pages may ask in a minute, together, in a process: six that ask every two seconds."""


class Looks:
    """Counts how often pages ask, a person and minute."""

    def __init__(self, clock: Clock) -> None:
        """Count by `clock`."""
        self._clock = clock
        self._lock = threading.Lock()
        self._minute = 0
        self._counts: Counter[str] = Counter()

    def claim(self, user_id: str) -> None:
        """Count a look; raise TooMany over the cap."""
        minute, past = divmod(self._clock.now(), _WINDOW_SECONDS)
        with self._lock:
            if minute != self._minute:
                self._minute, self._counts = minute, Counter()
            self._counts[user_id] += 1
            if self._counts[user_id] > _LOOKS:
                raise TooMany("account_live.looks", extra={"retry_after": _WINDOW_SECONDS - past})


def add_live(blueprint: Blueprint, parts: PageParts) -> None:
    """Add the call."""
    looks = Looks(parts.clock)

    @blueprint.get("/account/live")
    def account_live() -> Response:
        """Tell the version of what is shown; that a page asks by itself keeps nobody signed in."""
        trace = new_trace()
        with unit_of_work() as work:
            try:
                return json_answer({"version": _version(parts, work, trace, looks)})
            except Refusal as refusal:
                if refusal.status == HTTPStatus.TOO_MANY_REQUESTS:
                    parts.refusals.turn_away(trace.address, refusal.error, refusal.reason)  # counted, not one by one
                else:
                    parts.refusals.refuse(work, trace, refusal)
                return problem(refusal)


def _version(parts: PageParts, work: Work, trace: Trace, looks: Looks) -> str:
    signed_in = parts.browser.signed_in(work, used=False)
    if signed_in is None:
        raise InvalidToken("session.none")
    trace.actor = signed_in.user_id
    looks.claim(signed_in.user_id)
    user = people.find(work.session, signed_in.user_id)
    caller = Caller(Credential.BROWSER, roles=frozenset(() if user is None else user.roles))
    if not may_call(trace.endpoint, caller, (Relation.SUBJECT,)):
        raise Forbidden("access.table")
    return version(parts, work.session, signed_in.user_id)
