"""Renewal: an app in a device gives the token it has and gets a fresh one, while the impersonation lasts."""

from authserver.appetize.found import Registry
from authserver.appetize.minter import Minter, Wanted
from authserver.clock import Clock
from authserver.impersonation.asks import ActingPerson
from authserver.protocol.names import State
from authserver.protocol.refusals import AccessDenied, Forbidden, InvalidTarget, InvalidToken, NotFound
from authserver.protocol.tokens import VerifiedToken
from authserver.storage import handoff_codes, handoffs, impersonations, tokens
from authserver.storage.database import Work
from authserver.storage.impersonations import Record
from authserver.tokens.issuer import Minted


class Renewal:
    """Mints again by an impersonation's own token, after checking everything again."""

    def __init__(self, registry: Registry, minter: Minter, clock: Clock) -> None:
        """Mint by `minter`, while an app of `registry` may be used."""
        self._registry = registry
        self._minter = minter
        self._clock = clock

    def renew(
        self, work: Work, token: VerifiedToken, named: tuple[str, ...] | None
    ) -> tuple[Record, tuple[Minted, ...]]:
        """Return a token for each resource that is named, or for each that the present token is for.

        A resource that the present token is not for is `invalid_target`: whoever was sent a token for one resource
        gets no other by it. What is bound to a key stays so. A token that was exchanged on behalf of the
        impersonation is not renewed.
        """
        record, authentication = self._active(work, token), token.authentication
        if token.act is None or token.act.before is not None or token.act.sub != record.actor_id:
            raise Forbidden("renewal.not_the_actors")
        if authentication is None:
            raise InvalidToken("token.not_a_person")
        uris = tuple(uri for uri in record.resources if uri in token.audience)
        if named is not None:
            if not named or set(named) - set(uris):
                raise InvalidTarget("renewal.resource_not_the_tokens")
            uris = tuple(dict.fromkeys(named))

        def consume(_: Record) -> None:
            state = tokens.state(work.session, token.jti)
            if state is None or state.token.revoked_at is not None:
                raise InvalidToken("token.revoked")
            if token.family_id is not None and not handoff_codes.hold_family(work.session, token.family_id):
                raise InvalidToken("token.revoked")

        wanted = Wanted(
            way="renew",
            actor=ActingPerson(user_id=record.actor_id, authentication=authentication),
            audiences=tuple((uri,) for uri in uris),
            family_id=token.family_id,
            jkt=token.jkt,
            every=named is not None,
        )
        return record, self._minter.mint(work, wanted, lambda: self._active(work, token), consume)

    def _active(self, work: Work, token: VerifiedToken) -> Record:
        record = impersonations.find(work.session, token.impersonation_id or "")
        if record is None or record.state is not State.ACTIVE or record.overdue(self._clock.now()):
            raise InvalidToken("impersonation.ended")
        self._check_app(work, record)
        return record

    def _check_app(self, work: Work, record: Record) -> None:
        """Refuse once no app that the impersonation was handed to may be used by its agent any more."""
        names = handoffs.apps_of(work.session, record.id)
        if names and not any(self._is_for(work, name, record.actor_id) for name in names):
            raise AccessDenied("renewal.app")

    def _is_for(self, work: Work, name: str, actor_id: str) -> bool:
        try:
            self._registry.app(work, name, actor_id)
        except (NotFound, AccessDenied):
            return False
        return True
