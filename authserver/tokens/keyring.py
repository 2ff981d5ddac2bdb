"""The life of signing keys: published, signing, retiring, retired; or revoked (RFC 7517, RFC 9068 §4)."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self

from joserfc import jws
from joserfc.errors import JoseError

from authserver.clock import Clock
from authserver.settings import Settings
from authserver.storage import DbSession
from authserver.storage import keys as rows
from authserver.storage.database import Work
from authserver.storage.keys import StoredKey
from authserver.tokens import key_files
from authserver.tokens.key_files import Key, KeyFileError, public_members

Use = Literal["sig", "audit"]
Phase = Literal["published", "signing", "retiring", "retired", "revoked"]

AUDIT_ALG = "Ed25519"
ALWAYS = ("ES256", "RS256")
"""RFC 9068 §4 and Discovery require RS256; ES256 is the cheaper one."""

_HEAD_TYPE = "audit-head+jws"
_CLOCK_MARGIN = 60
"""Seconds by which clocks may differ, or a token be late after its key was chosen."""

_KID = re.compile(r"[A-Za-z0-9_-]{43}")


class KeyringError(Exception):
    """A change of keys that is refused, or a key that is not there; the text says which and why."""


class SuccessorWaitsError(KeyringError):
    """A rotation that is refused because the one before has not taken over yet."""


class RotatedLatelyError(KeyringError):
    """A rotation that is refused because the last one is not long enough ago."""


@dataclass(frozen=True, slots=True)
class SigningKeyMaterial:
    """What the mint signs with."""

    kid: str
    alg: str
    key: Key


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """Where a key stands, and what is wrong with it on this machine."""

    key: StoredKey
    phase: Phase
    problem: str | None


@dataclass(frozen=True, slots=True)
class Rotation:
    """A new key, and the one that it takes over from."""

    key: StoredKey
    predecessor: StoredKey | None


@dataclass(frozen=True, slots=True)
class Revocation:
    """A revoked key; `successor` signs in its place now, None where it was not needed to sign.

    Call `delete_file` once the revocation is committed.
    """

    key: StoredKey
    successor: StoredKey | None
    created: bool
    delete_file: Callable[[], None]


@dataclass(frozen=True, slots=True)
class HeadSigner:
    """Signs heads of the trail with the audit key."""

    kid: str
    key: Key

    def sign(self, payload: bytes) -> tuple[str, str]:
        """Return the kid and the compact JWS over `payload` (RFC 7515 §3.1)."""
        header = {"alg": AUDIT_ALG, "kid": self.kid, "typ": _HEAD_TYPE}
        return self.kid, jws.serialize_compact(header, payload, self.key, algorithms=[AUDIT_ALG])


@dataclass(frozen=True, slots=True)
class HeadVerifier:
    """Verifies heads with every audit key that there ever was."""

    keys: Mapping[str, Key]

    def verify(self, kid: str, signature: str) -> bytes | None:
        """Return the payload of a compact JWS that this audit key signed, or None."""
        key = self.keys.get(kid)
        if key is None:
            return None
        try:
            head = jws.deserialize_compact(signature, key, algorithms=[AUDIT_ALG])
        except (JoseError, ValueError, TypeError):
            return None
        header = head.headers()
        return head.payload if (header.get("kid"), header.get("typ")) == (kid, _HEAD_TYPE) else None


@dataclass(frozen=True, slots=True, eq=False)
class Keyring:
    """The keys of this server: rows that every process reads anew, private files that are read once.

    `algs` are signed with besides `ALWAYS`; no token lives longer than `max_token_seconds`.
    """

    folder: Path
    passphrase: str = field(repr=False)
    clock: Clock
    max_token_seconds: int
    algs: tuple[str, ...] = ()
    demo: bool = False
    _private: dict[str, Key] = field(default_factory=dict, init=False, repr=False)
    _public: dict[str, Key] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def from_settings(cls, settings: Settings, clock: Clock) -> Self:
        """Keep the keys that the settings want."""
        lives = settings.tokens
        return cls(
            settings.keys.folder,
            settings.keys.passphrase,
            clock,
            max_token_seconds=max(
                lives.access_token_seconds, lives.impersonation_token_seconds, lives.impersonation_id_token_seconds
            ),
            algs=(settings.keys.access_token_alg,),
            demo=settings.demo,
        )

    def signing_key(self, session: DbSession, alg: str) -> SigningKeyMaterial:
        """Return the key that signs `alg` at this moment."""
        key = self._signer(session, "sig", alg)
        return SigningKeyMaterial(key.kid, key.alg, self._private_key(key))

    def signs(self, session: DbSession, alg: str) -> bool:
        """Tell whether a key signs `alg`, or will from the first start on."""
        living = rows.living(session, "sig", now=self.clock.now(), alg=alg)
        return alg in {*ALWAYS, *self.algs} or rows.signer(living, self.clock.now()) is not None

    def verification_key(self, session: DbSession, kid: object) -> tuple[str, Key] | None:
        """Return alg and public key; None if the `kid` of a token's header is no key of ours that is alive."""
        key = rows.find(session, kid) if isinstance(kid, str) and _KID.fullmatch(kid) else None
        if key is None or key.use != "sig" or not key.alive(self.clock.now()):
            return None
        public = self._public_key(key)
        return None if public is None else (key.alg, public)

    def jwks(self, session: DbSession) -> dict[str, list[dict[str, Any]]]:
        """Return the published keys, public members alone (RFC 7517 §5)."""
        keys = rows.living(session, "sig", now=self.clock.now())
        return {
            "keys": [public_members(key.public_jwk) | {"use": "sig", "alg": key.alg, "kid": key.kid} for key in keys]
        }

    def head_signer(self, session: DbSession) -> HeadSigner:
        """Return the signer of heads."""
        key = self._signer(session, "audit", AUDIT_ALG)
        return HeadSigner(key.kid, self._private_key(key))

    def head_verifier(self, session: DbSession) -> HeadVerifier:
        """Return the verifier of heads; retired and revoked keys are in it, for the past stays provable."""
        keys = {key.kid: self._public_key(key) for key in rows.listing(session) if key.use == "audit"}
        return HeadVerifier({kid: key for kid, key in keys.items() if key is not None})

    def signs_decisions(self, session: DbSession, kid: str) -> bool:
        """Tell whether a `kid` is an audit key of ours: a row alone, without the file beside it, is none."""
        return self._own_audit_key(session, kid) is not None

    def decision_signed(self, session: DbSession, kid: str, signature: str) -> bytes | None:
        """Return what an audit key of ours signed, None where it did not."""
        key = self._own_audit_key(session, kid)
        return None if key is None else HeadVerifier({kid: key}).verify(kid, signature)

    def ensure(self, work: Work) -> list[StoredKey]:
        """Create what is missing, signing at once; return what was created. Nothing missing, nothing locked."""
        if self._missing(work.session):
            rows.lock(work)
        now = self.clock.now()
        return [self._create(work, use, alg, now) for use, alg in self._missing(work.session)]

    def rotate(self, work: Work, alg: str, publish_seconds: int, *, use: Use = "sig", min_age: int = 0) -> Rotation:
        """Publish a key that takes over `publish_seconds` later (at once where none signs `alg`).

        The predecessor stays published until nothing that it signed by then can be valid. An audit key is in
        no cache and takes over at once. Raises KeyringError while another successor waits, or while the newest key is
        younger than `min_age` seconds.
        """
        self._predecessor(work.session, use, alg, min_age)
        private = key_files.generate(alg)  # slow, and so before anybody has to wait for it
        rows.lock(work)
        old, now = self._predecessor(work.session, use, alg, min_age), self.clock.now()
        if old is None:
            return Rotation(self._create(work, use, alg, now, private), None)
        takeover = now if use == "audit" else now + publish_seconds
        key = self._create(work, use, alg, takeover, private)
        last = max(takeover + self.max_token_seconds + _CLOCK_MARGIN, rows.latest_expiry(work.session, old.kid) or 0)
        retires_at = takeover if use == "audit" else last
        rows.retire(work.session, old.kid, retires_at)
        return Rotation(key, replace(old, retires_at=retires_at))

    def revoke(self, work: Work, kid: str) -> Revocation:
        """Withdraw a key at once: what it signed is dead from the commit on. Raises KeyringError if it cannot be."""
        rows.lock(work)
        now = self.clock.now()
        key = rows.find(work.session, kid)
        if key is None:
            raise KeyringError(f"{kid}: no such key")
        before = rows.living(work.session, key.use, now=now, alg=key.alg)
        if not rows.revoke(work.session, kid, now=now):
            raise KeyringError(f"{kid}: revoked already")
        successor, created = self._succeed(work, key, before)
        return Revocation(replace(key, revoked_at=now), successor, created, partial(self._delete, kid))

    def status(self, session: DbSession) -> list[KeyStatus]:
        """Return every key that there ever was, the eldest first."""
        now = self.clock.now()
        keys = rows.listing(session)
        found = []
        for key in keys:
            siblings = [other for other in keys if (other.use, other.alg) == (key.use, key.alg)]
            stands = phase(key, rows.signer(siblings, now), now)
            found.append(KeyStatus(key, stands, self._problem(key) if stands in {"published", "signing"} else None))
        return found

    def has_demo_key(self, session: DbSession) -> bool:
        """Tell whether a key was made in demo mode here."""
        return rows.any_demo(session)

    def _predecessor(self, session: DbSession, use: Use, alg: str, min_age: int) -> StoredKey | None:
        """Return the key that a new one takes over from. Raises KeyringError while it is too young to be rotated."""
        now = self.clock.now()
        old = rows.newest(rows.living(session, use, now=now, alg=alg))
        if old is None:
            return None
        if old.signs_from > now:
            wait = old.signs_from - now
            msg = f"{alg}: {old.kid} is published already and signs in {wait} s; rotate after that"
            raise SuccessorWaitsError(msg)
        if now - old.created_at < min_age:
            raise RotatedLatelyError(f"{alg}: {old.kid} was made {now - old.created_at} s ago")
        return old

    def _signer(self, session: DbSession, use: Use, alg: str) -> StoredKey:
        now = self.clock.now()
        key = rows.signer(rows.living(session, use, now=now, alg=alg), now)
        if key is None:
            option = "--audit" if use == "audit" else f"--alg {alg}"
            raise KeyringError(f"{alg}: no key signs; run: authserver keys rotate {option}")
        return key

    def _own_audit_key(self, session: DbSession, kid: str) -> Key | None:
        key = rows.find(session, kid) if _KID.fullmatch(kid) else None
        if key is None or key.use != "audit" or key.revoked_at is not None:
            return None
        with suppress(KeyFileError):
            return self._private_key(key)
        return None

    def _missing(self, session: DbSession) -> list[tuple[Use, str]]:
        now = self.clock.now()
        wanted: list[tuple[Use, str]] = [("sig", alg) for alg in dict.fromkeys((*ALWAYS, *self.algs))]
        wanted.append(("audit", AUDIT_ALG))
        return [(use, alg) for use, alg in wanted if not rows.living(session, use, now=now, alg=alg)]

    def _create(self, work: Work, use: str, alg: str, signs_from: int, private: Key | None = None) -> StoredKey:
        """Write the private file first: a row without its file would stop the server, a file without a row is idle."""
        private = private or key_files.generate(alg)
        kid = private.thumbprint()
        key_files.write_key(self.folder, kid, private, self.passphrase)
        public = public_members(private.as_dict(private=False))
        key = StoredKey(kid, use, alg, public, self.clock.now(), signs_from, None, None, self.demo)
        rows.add(work.session, key)
        return key

    def _succeed(self, work: Work, key: StoredKey, before: Sequence[StoredKey]) -> tuple[StoredKey | None, bool]:
        """Find who signs after `key` is gone, if that changes; tell whether it was made for that."""
        now = self.clock.now()
        signing = rows.signer(before, now)
        if signing == key:
            waiting = rows.newest(other for other in before if other != key)
            if waiting is None:
                return self._create(work, key.use, key.alg, now), True
            rows.sign_from(work.session, waiting.kid, now)
            return replace(waiting, signs_from=now), False
        if signing is not None and key.retires_at is None:  # it was to take over: the one that signs stays
            rows.retire(work.session, signing.kid, None)
            return replace(signing, retires_at=None), False
        return None, False

    def _private_key(self, key: StoredKey) -> Key:
        if key.kid not in self._private:
            self._private[key.kid] = key_files.read_key(self.folder, key.kid, key.alg, self.passphrase)
        return self._private[key.kid]

    def _public_key(self, key: StoredKey) -> Key | None:
        """Return the public key that the kid is the thumbprint of, None where the row holds another (RFC 7638 §3)."""
        if key.kid not in self._public:
            public = key_files.read_public(key.alg, key.public_jwk)
            if public is None or public.thumbprint() != key.kid:
                return None
            self._public[key.kid] = public
        return self._public[key.kid]

    def _problem(self, key: StoredKey) -> str | None:
        try:
            key_files.read_key(self.folder, key.kid, key.alg, self.passphrase)
        except KeyFileError as error:
            return str(error)
        return None

    def _delete(self, kid: str) -> None:
        self._private.pop(kid, None)
        key_files.delete_key(self.folder, kid)


def phase(key: StoredKey, signing: StoredKey | None, now: int) -> Phase:
    """Say where a key stands, given the one of its algorithm that signs."""
    if key.revoked_at is not None:
        return "revoked"
    if key.retires_at is not None and key.retires_at <= now:
        return "retired"
    if key == signing:
        return "signing"
    return "published" if key.signs_from > now else "retiring"
