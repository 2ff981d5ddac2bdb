"""What the policy can answer: yes, no, or what is still lacking for a yes."""

from dataclasses import dataclass
from typing import assert_never

from authserver.impersonation.policy_files import APPROVAL, CONSENT, NOTICE, STEP_UP

_WORDS = {
    STEP_UP: "a new sign-in",
    APPROVAL: "a second person's approval",
    CONSENT: "the customer's consent",
    NOTICE: "a notice to the customer",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    """Yes, and which policies permit it."""

    policies: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deny:
    """No; `refusal` is the OAuth error code, `invalid_request` when only the request itself is lacking."""

    policies: tuple[str, ...]
    refusal: str = "access_denied"
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsStepUp:
    """Yes, once the actor signed in again (RFC 9470); `acr_values` is space-separated, `max_age` is seconds."""

    policies: tuple[str, ...]
    acr_values: str
    max_age: int
    why: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsApproval:
    """Yes, once a second person approved; `also` names what is lacking besides (`needs_consent`)."""

    policies: tuple[str, ...]
    why: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsConsent:
    """Yes, once the target consented; `also` names what is lacking besides (`needs_approval`)."""

    policies: tuple[str, ...]
    why: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsNotice:
    """Yes, once a notice to the target was taken over for delivery; `also` names what is lacking besides."""

    policies: tuple[str, ...]
    why: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


Decision = Allow | Deny | NeedsConsent | NeedsApproval | NeedsNotice | NeedsStepUp


def explain(decision: Decision) -> list[str]:
    """Say a decision in plain sentences, for a person who asks why."""
    also: tuple[str, ...] = ()
    match decision:
        case Allow():
            first = "It is allowed."
        case Deny(refusal=refusal):
            first = f"It is refused ({refusal})."
        case NeedsStepUp(acr_values=acr_values, max_age=max_age, also=also):
            first = f"The actor must sign in again: at most {max_age} s ago, with one of {acr_values}."
        case NeedsApproval(also=also):
            first = "A second person must approve it first."
        case NeedsConsent(also=also):
            first = "The customer must consent first."
        case NeedsNotice(also=also):
            first = "A notice to the customer must be on its way first."
        case _:
            assert_never(decision)
    because = [] if isinstance(decision, Allow) else [f"Because {why}." for why in decision.why]
    after = [f"After that it needs {_WORDS[outcome]}." for outcome in also]
    return [first, *because, *after, f"Decided by {', '.join(decision.policies)}."]
