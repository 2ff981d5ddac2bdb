"""`/account/stream` and `/account/live`: how the customer's open pages learn that something has changed.

Neither says what: only a version, which is another one whenever something of what the pages show is. The pages listen,
and ask every few seconds where they cannot.
"""

import threading
from collections import Counter
from dataclasses import replace
from http import HTTPStatus

from flask import Blueprint, Response, json, request

from authserver.clock import Clock
from authserver.pages.customer import version
from authserver.pages.parts import PageParts
from authserver.protocol.access import Caller, Credential, Relation, may_call
from authserver.protocol.refusals import Forbidden, InvalidToken, Refusal, TooMany
from authserver.storage import people
from authserver.storage.database import Work, unit_of_work
from authserver.web.event_stream import Events, Look
from authserver.web.refusals import Trace, json_answer, new_trace, problem
from authserver.web.watch import Watch, Watched

_WINDOW_SECONDS = 60
_LOOKS = 180
"""How often a person's pages may ask in a minute, together, in a process: six that ask every two seconds."""
_COUNTED = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
"""What passes on its own, and comes in numbers: counted, and not recorded one by one."""


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
    """Add the calls. That a page asks or listens by itself keeps nobody signed in."""
    looks = Looks(parts.clock)

    @blueprint.get("/account/live")
    def account_live() -> Response:
        """Tell the version of what is shown."""
        trace = new_trace()
        with unit_of_work() as work:
            try:
                user_id = _first(parts, work, trace, looks)
                return json_answer({"version": version(parts, work.session, user_id)})
            except Refusal as refusal:
                return _refused(parts, work, trace, refusal)

    @blueprint.get("/account/stream")
    def account_stream() -> Response:
        """Tell each new version of what is shown, as server-sent events."""
        trace = new_trace()
        with unit_of_work() as work:
            try:
                return VersionStream(parts, trace, _first(parts, work, trace, looks)).response()
            except Refusal as refusal:
                return _refused(parts, work, trace, refusal)


class VersionStream(Events):
    """The versions of what one customer's pages show; session, person and role are decided on with each look."""

    keep_alive = b"event: alive\ndata: 1\n\n"  # an event, for a page hears no comments, and wants to know that it hears

    def __init__(self, parts: PageParts, trace: Trace, user_id: str) -> None:
        """Take a slot for the customer, and begin to watch. Raises the refusal where there are too many."""
        self._parts = parts
        self._trace = replace(trace)
        self._cookie = parts.browser.cookie()
        self._told = ""
        super().__init__(parts.streaming, user_id)

    def _begin(self, watch: Watch) -> Watched:
        return watch.begin_of(self.user_id)

    def _news(self) -> list[Look]:
        """Decide on the customer anew, and look at what they are shown, in a unit of work of its own."""
        with self._streaming.app.app_context(), unit_of_work() as work:
            try:
                user_id = _customer(self._parts, work, self._trace, self._cookie)
            except Refusal as refusal:
                self._parts.refusals.refuse(work, self._trace, refusal)
                return [Look("over", "{}", last=True)]
            found = version(self._parts, work.session, user_id)
        if found == self._told:
            return []
        self._told = found
        return [Look("version", json.dumps({"version": found}))]


def _first(parts: PageParts, work: Work, trace: Trace, looks: Looks) -> str:
    """Return whose page asks. Raises a refusal: pages of other sites are none of ours, and none may ask too often."""
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "same-origin")
    if site != "same-origin" or origin not in {None, parts.settings.issuer}:
        raise Forbidden("account_live.origin")
    user_id = _customer(parts, work, trace, parts.browser.cookie())
    looks.claim(user_id)
    return user_id


def _customer(parts: PageParts, work: Work, trace: Trace, cookie: str) -> str:
    signed_in = parts.browser.holder(work, cookie, used=False)
    if signed_in is None:
        raise InvalidToken("session.none")
    trace.actor = signed_in.user_id
    user = people.find(work.session, signed_in.user_id)
    caller = Caller(Credential.BROWSER, roles=frozenset(() if user is None else user.roles))
    if not may_call(trace.endpoint, caller, (Relation.SUBJECT,)):
        raise Forbidden("access.table")
    return signed_in.user_id


def _refused(parts: PageParts, work: Work, trace: Trace, refusal: Refusal) -> Response:
    if refusal.status in _COUNTED:
        parts.refusals.turn_away(trace.address, refusal.error, refusal.reason)
    else:
        parts.refusals.refuse(work, trace, refusal)
    return problem(refusal)
