"""The shapes of an agent's desk: who one is, what one may ask for, customers, and what asking would come to."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from authserver.api.schemas import Id, ImpersonationOut, In, Out, Short
from authserver.protocol.names import Mode


class MeOut(Out):
    """Who calls: `scopes` are those of the issuer that count now; `acr` and `auth_time` tell how they signed in."""

    id: str
    name: str
    username: str
    email: str
    population: str
    roles: list[str]
    scopes: list[str]
    acr: str
    auth_time: str | None


class OptionsQuery(In):
    """Through which client it will be exchanged; by default the caller's own, or the only one that may."""

    client_id: Id | None = None


class ReasonCodeOut(Out):
    """A reason by its code, and in words."""

    code: str
    label: str


class LifetimeOut(Out):
    """Seconds."""

    default: int
    maximum: int


class OfferedScopeOut(Out):
    """A scope that can be delegated; `description` is what a customer is told of it."""

    name: str
    access: str
    description: str


class OfferedResourceOut(Out):
    """A resource server that the client may exchange for; `default` where it is asked for unless others are named."""

    uri: str
    name: str
    default: bool
    scopes: list[OfferedScopeOut]


class OfferedAppOut(Out):
    """A mobile app that the caller may open; `label` is its name for people."""

    name: str
    label: str
    platform: str


class OfferedClientOut(Out):
    """A client that may exchange what is started here."""

    client_id: str
    name: str


class OptionsOut(Out):
    """What a start may say, by configuration and by what the policy lets the caller ask for.

    `client_id` is the client that `resources` are of; null where the caller has to name one of `clients`.
    """

    reason_codes: list[ReasonCodeOut]
    reason_required: bool
    reason_code_required: bool
    ticket_required: bool
    ticket_pattern: str
    modes: list[Mode]
    default_mode: Mode
    expires_in: LifetimeOut
    client_id: str | None
    clients: list[OfferedClientOut]
    resources: list[OfferedResourceOut]
    apps: list[OfferedAppOut]
    consent_ways: list[str]
    break_glass: bool
    withholding_reason_codes: list[str]


class SearchQuery(In):
    """What is known of a customer: name, e-mail address, user name or id; one of two characters or more, or exact."""

    q: Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00]*\S[^\x00]*$")]
    limit: int = Field(default=8, ge=1, le=8)


class CustomerOut(Out):
    """A customer as an agent sees them before anything was started; addresses are masked."""

    id: str
    name: str
    username: str
    email_hint: str
    tier: str
    country: str


class CustomersOut(Out):
    """The customers who fit best; there is no next page."""

    items: list[CustomerOut]
    next: None = None


class CustomerPath(In):
    """A customer by id."""

    id: str = Field(description="The identifier.")


class PreviewQuery(In):
    """What would be asked for, as in a start. `resource` may hold several, parted by spaces.

    Without `mode` every mode that the caller may ask for is told; a reason code and a ticket that are not named are
    supposed to be good.
    """

    mode: Mode | None = None
    resource: Annotated[str, StringConstraints(max_length=2048, pattern=r"^[^\x00]*$")] | None = None
    expires_in: int | None = Field(default=None, ge=1, le=10**9)
    client_id: Id | None = None
    reason_code: Short = ""
    ticket_id: Short = ""


class OutcomeOut(Out):
    """What asking in one mode would come to.

    `needs` is what is lacking, in the order in which it is asked; `says` are the policy's plain words. Where a new
    sign-in is lacking, `acr_values` and `max_age` are what it has to be (RFC 9470).
    """

    mode: Mode
    outcome: Literal["allow", "needs_consent", "needs_approval", "needs_step_up", "needs_notice", "deny"]
    needs: list[str]
    says: list[str]
    acr_values: str | None
    max_age: int | None


class PreviewOut(Out):
    """A customer, what asking would come to by mode, and what the caller has open with them already."""

    customer: CustomerOut
    outcomes: list[OutcomeOut]
    open: ImpersonationOut | None
