"""What is asked, and what was found about it: values that pass between the steps of a start."""

from dataclasses import dataclass

from authserver.impersonation.policy import Decision
from authserver.protocol.names import BREAK_GLASS, State
from authserver.protocol.refusals import InvalidRequest
from authserver.protocol.scopes import Scope
from authserver.protocol.tokens import Authentication
from authserver.settings_governance import ConsentWays
from authserver.storage import DbSession, resources
from authserver.storage.clients import RegisteredClient
from authserver.storage.impersonations import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class ActingPerson:
    """The person who asks, and how they proved who they are."""

    user_id: str
    authentication: Authentication


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedCode:
    """A support code that an actor presents. `consent_id` is how the consent that it is will be known."""

    id: str
    session_id: str
    consent_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """An actor's wish to act as `subject_id`, through `client`; `asked` are scopes that the client may have.

    With a support code (way F) the code is the subject and the consent.
    """

    way: str
    actor: ActingPerson
    client: RegisteredClient
    subject_id: str
    resources: tuple[str, ...]
    asked: tuple[Scope, ...]
    mode: str
    reason: str
    reason_code: str
    ticket_id: str
    lifetime: int
    break_glass: bool
    client_address: str
    code: PresentedCode | None = None
    ticket_refused: bool = False
    """The ticket system does not know the ticket, or could not be asked."""
    consent_way: str = "account"
    """How the customer is asked, should their consent be wanted."""
    anew: bool = False
    """Whether an active impersonation is asked for as if it began now, as an extension is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What policy says of an ask at this moment; two verdicts are equal when nothing that matters changed."""

    decision: Decision
    scopes: tuple[str, ...]
    consent_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A decided ask that is not written yet. `record` is how the impersonation will stand; `existing` how it stood."""

    ask: Ask
    now: int
    verdict: Verdict
    record: Record
    existing: Record | None

    @property
    def active(self) -> bool:
        """Tell whether tokens may be minted once this is written."""
        return self.record.state is State.ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What a start came to; `handle` is the only copy of the new handle."""

    record: Record
    handle: str


def consent_way(rules: ConsentWays, asked: str | None) -> str:
    """Return how the customer is to be asked: the way named, or the first that is configured."""
    if asked is None:
        return rules.ways[0]
    if asked not in rules.ways:
        raise InvalidRequest("consent_way.not_offered", "consent_way is not one of the configured ways.")
    return asked


def ask_again(  # noqa: PLR0913 - what may differ from the start
    session: DbSession,
    record: Record,
    actor: ActingPerson,
    client: RegisteredClient,
    *,
    way: str,
    client_address: str,
) -> Ask:
    """Ask again for what an impersonation was granted: the same target, mode, reason and scopes, and no more."""
    catalogue = resources.scopes_of(session, record.resources)
    return Ask(
        way=way,
        actor=actor,
        client=client,
        subject_id=record.subject_id,
        resources=record.resources,
        asked=tuple(catalogue[name] for name in record.scopes if name in catalogue),
        mode=record.mode,
        reason=record.reason,
        reason_code=record.reason_code,
        ticket_id=record.ticket_id,
        lifetime=record.lifetime,
        break_glass=record.override == BREAK_GLASS,
        client_address=client_address,
        consent_way=record.consent_way,
    )
