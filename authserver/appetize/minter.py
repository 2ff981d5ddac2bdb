"""Tokens for a device: minted only after everything has been checked again (design sections 3 and 6)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from authserver.impersonation.asks import ActingPerson, Plan, ask_again
from authserver.impersonation.lifecycle import Lifecycle
from authserver.impersonation.minting import Minting
from authserver.protocol.refusals import AccessDenied, Busy, InvalidScope, NotFound
from authserver.protocol.tokens import Authentication
from authserver.storage import clients, people
from authserver.storage.database import Work
from authserver.storage.impersonations import Record
from authserver.tokens.issuer import Draft, Issuer, Minted

_TRIES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Tokens to mint: one for each of `audiences`; those that have a scope left, or with `every` all or none.

    Without `client_address` the address counts from which the impersonation was started: a device has none of its own.
    """

    way: str
    actor: ActingPerson
    audiences: tuple[tuple[str, ...], ...]
    client_address: str | None = None
    family_id: str | None = None
    jkt: str | None = None
    """The thumbprint of the key that they are bound to (RFC 9449 §6.1)."""
    every: bool = True


class Minter:
    """Checks policy, consent, people, session and clocks of an active impersonation again, and mints."""

    def __init__(self, lifecycle: Lifecycle, minting: Minting, issuer: Issuer) -> None:
        """Decide by `lifecycle`, draft by `minting`, sign by `issuer`."""
        self._lifecycle = lifecycle
        self._minting = minting
        self._issuer = issuer

    def mint(
        self, work: Work, wanted: Wanted, begin: Callable[[], Record], consume: Callable[[Record], None]
    ) -> tuple[Minted, ...]:
        """Mint what is wanted.

        `begin` reads the impersonation and raises what stands against it; `consume` runs under lock, once, before
        anything is issued, and raises where another call was first.
        """
        for _ in range(_TRIES):
            plan = self._plan(work, wanted, begin())
            minted = tuple(self._issuer.sign(work.session, draft) for draft in self._drafts(work, wanted, plan))
            if not self._lifecycle.proceed(work, plan):
                continue
            consume(plan.record)
            for each in minted:
                self._issuer.register(work, each)
            return minted
        raise Busy("handoff.contended")

    def _plan(self, work: Work, wanted: Wanted, record: Record) -> Plan:
        client = clients.find(work.session, record.client_id)
        if client is None:
            raise AccessDenied("client.unknown")
        address = record.client_address if wanted.client_address is None else wanted.client_address
        ask = ask_again(work.session, record, wanted.actor, client, way=wanted.way, client_address=address)
        return self._lifecycle.plan_again(work, ask, record)

    def _drafts(self, work: Work, wanted: Wanted, plan: Plan) -> Iterator[Draft]:
        found = False
        for audience in wanted.audiences:
            draft = self._minting.access_token(work.session, plan, resources=audience)
            if draft.scope:
                found = True
                yield replace(draft, family_id=wanted.family_id, jkt=wanted.jkt)
            elif wanted.every:
                raise InvalidScope("scope.nothing_left")
        if wanted.audiences and not found:
            raise InvalidScope("scope.nothing_left")


def actor_of(work: Work, record: Record) -> ActingPerson:
    """Return an impersonation's actor, in the session that it was started in."""
    row = people.find_session(work.session, record.actor_session_id)
    if row is None:
        raise NotFound("session.unknown")
    authentication = Authentication(row.id, row.auth_time, row.acr, row.address, row.expires_at)
    return ActingPerson(user_id=record.actor_id, authentication=authentication)
