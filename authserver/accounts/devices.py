"""Device authorizations (RFC 8628): a device asks, a person is shown what for, and decides once."""

import hmac
import json
import re
from dataclasses import dataclass, field

from authserver.accounts.refusals import Busy, NothingToAllow, Throttled, UnknownUserCode
from authserver.accounts.sessions import Place
from authserver.accounts.sites import beginning, in_full, in_short
from authserver.audit.chain import Trail
from authserver.audit.events.sign_in import ApplicationAllowed, DeviceApproved, DeviceDenied, DeviceRequested
from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.protocol.access import SCOPES_OF_ROLES
from authserver.protocol.names import DEVICE_FAMILY_PREFIX, GRANT_DEVICE_CODE
from authserver.protocol.scopes import Scope
from authserver.storage import DbSession, authorizations, clients, devices, people
from authserver.storage.clients import RegisteredClient
from authserver.storage.database import Work
from authserver.storage.devices import StoredDevice
from authserver.tokens import targets
from authserver.tokens.secret_hashes import SecretHasher, SecretKind
from authserver.tokens.targets import Target

LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowel makes a word of a code, and no letter is taken for another or for a digit (RFC 8628 §6.1)."""
INTERVAL_SECONDS = 5
APPROVED, DENIED = "approved", "denied"

_HALF = 4
_SECONDS = 600
_MAX_TYPED = 64
_MAX_USER_AGENT = 255
_MAX_WAITING = 20_000
_MAX_WAITING_OF_CLIENT = 5_000
_MAX_WAITING_OF_SITE = 50
_TRIES = 5
_BETWEEN = re.compile(r"[\s._\u2010-\u2015-]+")
_CODE = re.compile(rf"[{LETTERS}]{{{2 * _HALF}}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    """What a device is given; `user_code` as people are shown it. Times are seconds."""

    device_code: str = field(repr=False)
    user_code: str
    expires_in: int
    interval: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What a person decides on: who asks, from where, and for what; `scopes` is what they have of `target`."""

    user_code: str
    client: RegisteredClient
    family_id: str
    target: Target
    scopes: tuple[Scope, ...]
    address: str
    user_agent: str
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a form says that its person was shown; the `proof` tells whether they were. `scopes` is a scope string."""

    user_code: str
    family_id: str
    scopes: str
    proof: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """The person who decides, their browser's session, and where the browser is."""

    user_id: str
    session_id: str
    address: str


class Devices:
    """Takes requests of devices, finds them by the code that is typed, and writes decisions."""

    def __init__(self, issuer: str, hasher: SecretHasher, trail: Trail, clock: Clock, entropy: Entropy) -> None:
        """Keep codes hashed by `hasher`."""
        self._issuer = issuer
        self._hasher = hasher
        self._trail = trail
        self._clock = clock
        self._entropy = entropy

    def request(self, work: Work, client_id: str, target: Target, place: Place) -> Requested:
        """Take up what a device asks for (RFC 8628 §3.2). Raises Throttled or Busy when too many wait."""
        work.lock()
        now, address = self._clock.now(), in_full(place.address)
        self._check_room(work.session, client_id, address)
        values = {
            "client_id": client_id,
            "scopes": list(target.names),
            "resources": list(target.resources),
            "address": address,
            "user_agent": place.user_agent[:_MAX_USER_AGENT],
            "interval": INTERVAL_SECONDS,
            "created_at": now,
            "expires_at": now + _SECONDS,
            "family_id": self._entropy.identifier(DEVICE_FAMILY_PREFIX),
        }
        for _ in range(_TRIES):
            device_code, letters = self._entropy.token(), self._letters()
            hashes = {"device_code_hash": self.device_hash(device_code), "user_code_hash": self._user_hash(letters)}
            if devices.add(work.session, {**values, **hashes}):
                break
        else:
            raise Busy("device.codes_taken")
        return Requested(
            device_code=device_code, user_code=_spelled(letters), expires_in=_SECONDS, interval=INTERVAL_SECONDS
        )

    def _check_room(self, session: DbSession, client_id: str, address: str) -> None:
        """Refuse when too many wait: of this client from this site, of this client, or of all."""
        every, own, from_there = devices.count_waiting(
            session, client_id, address, beginning(address), now=self._clock.now()
        )
        if from_there >= _MAX_WAITING_OF_SITE:
            raise Throttled("device.too_many_of_address", _SECONDS)
        if own >= _MAX_WAITING_OF_CLIENT:
            raise Busy("device.too_many_of_client")
        if every >= _MAX_WAITING:
            raise Busy("device.too_many")

    def find(self, session: DbSession, user_code: str, user_id: str, *, hold: bool = False) -> Waiting:
        """Return what waits behind a code as `read_user_code` gives it, cut by what the person has.

        Raises UnknownUserCode for a code that is unknown, expired, decided or used, all with the same words, and
        NothingToAllow. `hold` keeps the client as it is until the commit.
        """
        found = devices.of_person(session, self._user_hash(_letters_of(user_code)))
        client = None if found is None else clients.find(session, found.client_id, hold=hold)
        if found is None or client is None:
            raise UnknownUserCode("user_code.unknown")
        self._check(found, client)
        target = targets.restore(session, found.resources, found.scopes, self._issuer)
        may_have = client.scopes - SCOPES_OF_ROLES
        scopes = tuple(scope for scope in targets.available(session, user_id, target) if scope.name in may_have)
        if not scopes:
            raise NothingToAllow("scope.nothing_left")
        return Waiting(
            user_code=user_code,
            client=client,
            family_id=found.family_id,
            target=target,
            scopes=scopes,
            address=in_short(found.address),
            user_agent=found.user_agent,
            created_at=found.created_at,
        )

    def _check(self, found: StoredDevice, client: RegisteredClient) -> None:
        if found.decision is not None or found.used_at is not None:
            raise UnknownUserCode("user_code.decided")
        if self._clock.now() >= found.expires_at:
            raise UnknownUserCode("user_code.expired")
        if not client.enabled or GRANT_DEVICE_CODE not in client.grant_types:
            raise UnknownUserCode("user_code.client")

    def shown(self, waiting: Waiting, session_id: str) -> Shown:
        """Return what this session is shown of what waits, with the proof that nobody guessed its code."""
        scopes = " ".join(sorted(scope.name for scope in waiting.scopes))
        return Shown(
            user_code=waiting.user_code,
            family_id=waiting.family_id,
            scopes=scopes,
            proof=self._proof(session_id, waiting.user_code, waiting.family_id, scopes),
        )

    def _proof(self, *shown: str) -> str:
        return self._hasher.hash(SecretKind.DEVICE_SHOWN, json.dumps(shown))

    def decide(self, work: Work, by: Decider, shown: Shown, *, allow: bool) -> None:
        """Write a person's decision, the first alone (RFC 8628 §3.3).

        Nothing is looked up for who was not shown it. Raises UnknownUserCode, whatever the reason.
        """
        proof = self._proof(by.session_id, shown.user_code, shown.family_id, shown.scopes)
        if not hmac.compare_digest(proof.encode(), shown.proof.encode()):
            raise UnknownUserCode("device.not_shown")
        work.lock()
        self._hold(work, by)
        waiting = self._as_shown(work.session, by, shown)
        names = tuple(scope.name for scope in waiting.scopes)
        decided = devices.decide(
            work.session,
            self._user_hash(_letters_of(shown.user_code)),
            APPROVED if allow else DENIED,
            user_id=by.user_id,
            session_id=by.session_id,
            scopes=names,
            now=self._clock.now(),
        )
        if not decided:
            raise UnknownUserCode("user_code.decided")
        self._trail.record(work, _requested(waiting))
        if allow:
            self._allowed(work, by, waiting, names)
        else:
            event = DeviceDenied(
                family_id=waiting.family_id,
                client_id=waiting.client.client_id,
                user_id=by.user_id,
                session_id=by.session_id,
                address=by.address,
            )
            self._trail.record(work, event)

    def _hold(self, work: Work, by: Decider) -> None:
        """Hold person and session as they have to be, in the order of locks."""
        user = people.find(work.session, by.user_id, hold=True)
        behind = people.find_session(work.session, by.session_id, hold=True)
        if user is None or not user.enabled or behind is None or behind.ended_at is not None:
            raise UnknownUserCode("person.not_signed_in_any_more")

    def _as_shown(self, session: DbSession, by: Decider, shown: Shown) -> Waiting:
        try:
            waiting = self.find(session, shown.user_code, by.user_id, hold=True)
        except NothingToAllow as refusal:
            raise UnknownUserCode(refusal.reason) from refusal
        if self.shown(waiting, by.session_id) != shown:
            raise UnknownUserCode("device.changed")
        return waiting

    def _allowed(self, work: Work, by: Decider, waiting: Waiting, names: tuple[str, ...]) -> None:
        client_id = waiting.client.client_id
        if not waiting.client.first_party:
            authorizations.grant(work.session, by.user_id, client_id, names, now=self._clock.now())
            allowed = ApplicationAllowed(
                user_id=by.user_id, session_id=by.session_id, client_id=client_id, scopes=names
            )
            self._trail.record(work, allowed)
        event = DeviceApproved(
            family_id=waiting.family_id,
            client_id=client_id,
            user_id=by.user_id,
            session_id=by.session_id,
            scopes=names,
            address=by.address,
        )
        self._trail.record(work, event)

    def device_hash(self, device_code: str) -> str:
        """Return what a device code is stored as."""
        return self._hasher.hash(SecretKind.DEVICE_CODE, device_code)

    def _user_hash(self, letters: str) -> str:
        return self._hasher.hash(SecretKind.USER_CODE, letters)

    def _letters(self) -> str:
        """Draw the letters of a user code: 34 bits of the 128 drawn, so evenly that nobody can tell."""
        number, letters = int.from_bytes(self._entropy.salt(), "big"), ""
        for _ in range(2 * _HALF):
            number, index = divmod(number, len(LETTERS))
            letters += LETTERS[index]
        return letters


def read_user_code(typed: str) -> str:
    """Return a code as people are shown it, from whatever case and separators; empty for what is none (§6.1)."""
    letters = _BETWEEN.sub("", typed).upper() if len(typed) <= _MAX_TYPED else ""
    return _spelled(letters) if _CODE.fullmatch(letters) else ""


def _requested(waiting: Waiting) -> DeviceRequested:
    """Tell of a request once a person has decided on it: anybody may ask, and what nobody takes up is no evidence."""
    return DeviceRequested(
        family_id=waiting.family_id,
        client_id=waiting.client.client_id,
        resources=waiting.target.resources,
        scopes=waiting.target.names,
        address=waiting.address,
        requested_at=waiting.created_at,
    )


def _spelled(letters: str) -> str:
    return f"{letters[:_HALF]}-{letters[_HALF:]}"


def _letters_of(user_code: str) -> str:
    return user_code.replace("-", "")
