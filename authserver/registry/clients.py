"""OAuth clients: registered, changed, disabled and enabled, and their secrets."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from authserver.audit.chain import Trail
from authserver.audit.events.changes import ClientChanged
from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.impersonation.enablement import Enablement, Ended
from authserver.protocol.refusals import Conflict
from authserver.registry.client_fields import LISTS, SECRET, client_id_wrongs, parsed, wrongs
from authserver.registry.hands import take_hold
from authserver.registry.refusals import OfOneself, Taken, Unfit, Unknown, Wrong
from authserver.storage import DbSession, authorizations, clients
from authserver.storage.clients import RegisteredClient
from authserver.storage.database import Work
from authserver.tokens.keyring import Keyring
from authserver.tokens.secret_hashes import SecretHasher, SecretKind

_TAKEN = Wrong("client_id", "there is such a client already")


class Clients:
    """Decides on what is given, then writes it with its event; whoever is named in `by` did it."""

    def __init__(  # noqa: PLR0913 - what a client hangs on
        self,
        enablement: Enablement,
        keyring: Keyring,
        hasher: SecretHasher,
        *,
        trail: Trail,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        """End what ends with a client by `enablement`; store secrets as `hasher` has them."""
        self._enablement = enablement
        self._keyring = keyring
        self._hasher = hasher
        self._trail = trail
        self._clock = clock
        self._entropy = entropy

    def create(self, work: Work, client_id: str, values: Mapping[str, Any], *, by: str) -> str | None:
        """Register a client and return the only copy of its secret, None where it has none. Raises Unfit, Taken."""
        stored, found = parsed(values)
        if found := client_id_wrongs(client_id) + found:
            raise Unfit("clients.unfit", *found)
        take_hold(work, by)
        if clients.find(work.session, client_id) is not None:
            raise Taken("clients.taken", _TAKEN)
        whole = {**_new(client_id), **stored}
        self._check(work.session, client_id, whole, stored)
        row = {**whole, "client_id": client_id, "created_at": self._clock.now()}
        if not clients.add_new(work.session, row):
            raise Taken("clients.taken", _TAKEN)
        self._record(work, client_id, "created", _spoken(stored), by=by)
        return self._add_secret(work, client_id, overlap=0, by=by) if whole["auth_method"] == SECRET else None

    def change(self, work: Work, client_id: str, values: Mapping[str, Any], *, by: str) -> str | None:
        """Change what is given and leave the rest; return a new secret for who had authenticated otherwise before.

        Raises Unknown, Unfit.
        """
        stored, found = parsed(values)
        if found:
            raise Unfit("clients.unfit", *found)
        take_hold(work, by)
        before = _held(work.session, client_id)
        self._check(work.session, client_id, {**asdict(before), **stored}, stored)
        clients.change(work.session, client_id, **stored)
        self._record(work, client_id, "changed", {"fields": sorted(stored), **_spoken(stored)}, by=by)
        if not set(stored.get("redirect_uris", ())) <= set(before.redirect_uris):
            authorizations.withdraw_all(work.session, client_id)  # nobody has allowed that it answers there
        method = stored.get("auth_method", before.auth_method)
        if method == before.auth_method or method != SECRET:
            return None
        clients.change(work.session, client_id, jwks=None)
        return self._add_secret(work, client_id, overlap=0, by=by)

    def rotate_secret(self, work: Work, client_id: str, *, overlap: int, by: str) -> str:
        """Make a new secret and return the only copy; the old ones live for `overlap` more seconds.

        Raises Unknown; Conflict for a client without a secret.
        """
        take_hold(work, by)
        if _held(work.session, client_id).auth_method != SECRET:
            raise Conflict(
                "clients.no_secret", "This client has no secret: it authenticates by its own key, or is public."
            )
        return self._add_secret(work, client_id, overlap=overlap, by=by)

    def disable(self, work: Work, client_id: str, *, by: str, using: str | None = None) -> Ended | None:
        """Disable a client: its tokens are dead, its impersonations end. None if it was before.

        Raises Unknown; OfOneself for the client that whoever does it is `using`.
        """
        if client_id == using:
            raise OfOneself("clients.in_use", "You are using this client: disable it by another one.")
        take_hold(work, by)
        _known(work.session, client_id)
        return self._enablement.disable_client(work, client_id, by=by)

    def enable(self, work: Work, client_id: str, *, by: str) -> bool:
        """Enable a client again; what it had stays dead. False if it was before. Raises Unknown."""
        take_hold(work, by)
        _known(work.session, client_id)
        return self._enablement.enable_client(work, client_id, by=by)

    def _check(self, session: DbSession, client_id: str, whole: Mapping[str, Any], given: Mapping[str, Any]) -> None:
        found = wrongs(session, client_id, whole, given)
        alg = given.get("id_token_alg")
        if alg is not None and not self._keyring.signs(session, alg):
            found.append(Wrong("id_token_alg", f"has no key yet; run first: authserver keys rotate --alg {alg}"))
        if found:
            raise Unfit("clients.unfit", *found)

    def _add_secret(self, work: Work, client_id: str, *, overlap: int, by: str) -> str:
        """Store a new secret's hash, let the others run out, and return the only copy of it."""
        secret, now = self._entropy.token(), self._clock.now()
        secret_hash = self._hasher.hash(SecretKind.CLIENT_SECRET, secret)
        clients.add_secret(work.session, client_id, secret_hash, now=now)
        clients.expire_secrets(work.session, client_id, at=now + overlap, but=secret_hash)
        self._record(work, client_id, "secret_created", {"overlap": overlap}, by=by)
        return secret

    def _record(self, work: Work, client_id: str, action: str, changes: Mapping[str, Any], *, by: str) -> None:
        self._trail.record(work, ClientChanged(client_id=client_id, action=action, by=by, changes=changes))


def _new(client_id: str) -> dict[str, Any]:
    """Return what a client is that nothing was said of: it may do nothing."""
    nothing: dict[str, Any] = {name: [] for name in LISTS}
    return {**nothing, "name": client_id, "auth_method": SECRET, "jwks": None, "id_token_alg": "RS256"}


def _spoken(stored: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in stored.items() if name != "jwks"}


def _held(session: DbSession, client_id: str) -> RegisteredClient:
    client = clients.hold(session, client_id)
    if client is None:
        raise Unknown("clients.unknown")
    return client


def _known(session: DbSession, client_id: str) -> None:
    if clients.find(session, client_id) is None:
        raise Unknown("clients.unknown")
