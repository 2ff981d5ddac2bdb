"""The shapes of listing impersonations, of hearing of them, and of ending them all."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from authserver.api.schemas import Id, In, Instant, Out, PageQuery, Short
from authserver.protocol.names import Mode, State

_STATE = "|".join(State)
States = Annotated[str, StringConstraints(max_length=128, pattern=rf"^({_STATE})(,({_STATE}))*$")]


class ImpersonationsQuery(PageQuery):
    """Which impersonations; of what is left out, any.

    `state` names states, parted by commas. `since` and `until` are of the start, the first included. `waiting_for` are
    those, and their extensions, that wait for an approval, a customer's consent, or what the caller may do about
    either.
    """

    state: States | None = None
    open: bool | None = None
    actor: Id | None = None
    subject: Id | None = None
    reason_code: Short | None = None
    mode: Mode | None = None
    since: Instant | None = None
    until: Instant | None = None
    waiting_for: Literal["approval", "consent", "me"] | None = None


class ListedOut(Out):
    """An impersonation that appeared or changed."""

    id: str
    state: State


class ReadyOut(Out):
    """That all that is open was told, and how many these are."""

    open: int


class EndAllBody(In):
    """Why every impersonation, active or pending, is to end now."""

    all: Literal[True]
    reason: Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]*\S[^\x00]*$")]


class AllEndedOut(Out):
    """Which were ended by this call."""

    ended: int = Field(ge=0)
    ids: list[str]
