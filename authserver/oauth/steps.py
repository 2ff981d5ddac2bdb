"""What a person still has to do before a client gets its code: nothing, sign in, or consent."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from authserver.accounts.authentication import is_fresh, meets
from authserver.oauth.asked import Asked
from authserver.protocol.access import OFFLINE_ACCESS
from authserver.protocol.names import Kind
from authserver.protocol.refusals import Refusal
from authserver.protocol.scopes import Scope
from authserver.storage import authorizations
from authserver.storage.database import Work
from authserver.tokens.targets import available
from authserver.tokens.verifier import UntrustworthyTokenError
from authserver.web.browser import SignedIn
from authserver.web.markers import STALE, UNMET

if TYPE_CHECKING:
    from authserver.oauth.parts import OAuthParts


class LoginRequired(Refusal):
    """`login_required` (OIDC Core §3.1.2.6)."""

    error = "login_required"
    words = "The user has to sign in."


class ConsentNeeded(Refusal):
    """`consent_required` (OIDC Core §3.1.2.6)."""

    error = "consent_required"
    words = "The user has to consent."


class UnmetAuthenticationRequirements(Refusal):
    """`unmet_authentication_requirements` (OpenID Connect Core Error Code, RFC 9470 §5)."""

    error = "unmet_authentication_requirements"
    words = "The user cannot authenticate as required."


@dataclass(frozen=True, slots=True)
class SignIn:
    """The person has to sign in, or to sign in again; `marker` proves on return that they were asked to."""

    marker: str


@dataclass(frozen=True, slots=True)
class Consent:
    """The person has to allow these scopes."""

    scopes: tuple[Scope, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing is left to do."""

    signed_in: SignedIn


def next_step(
    parts: "OAuthParts", work: Work, asked: Asked, signed_in: SignedIn | None, markers: list[str]
) -> SignIn | Consent | Done:
    """Return what is to be done next; raise the refusal that `prompt=none`, or an impossible wish, comes to."""
    silent = "none" in asked.request.prompt
    if parts.markers.asked_at(UNMET, asked.query, markers) is not None:
        raise UnmetAuthenticationRequirements("upstream.acr_not_reached")
    if parts.markers.asked_at(STALE, asked.query, markers) is not None:
        raise LoginRequired("upstream.not_fresh")
    login_asked_at = parts.markers.asked_at("login", asked.query, markers)
    if signed_in is None or _must_sign_in(parts, work, asked, signed_in, login_asked_at):
        if silent:
            raise LoginRequired("prompt.none")
        return SignIn(parts.markers.make("login", asked.query))
    if not meets(signed_in.acr, asked.request.acr_values):
        if login_asked_at is not None and signed_in.auth_time >= login_asked_at:
            raise UnmetAuthenticationRequirements("acr.not_reached")
        if silent:
            raise LoginRequired("acr.not_met")
        return SignIn(parts.markers.make("login", asked.query))
    missing = _not_allowed_yet(parts, work, asked, signed_in, markers)
    if not missing:
        return Done(signed_in)
    if silent:
        raise ConsentNeeded("prompt.none")
    return Consent(missing)


def _must_sign_in(
    parts: "OAuthParts", work: Work, asked: Asked, signed_in: SignedIn, login_asked_at: int | None
) -> bool:
    wanted, now = asked.request, parts.clock.now()
    again = login_asked_at is not None and signed_in.auth_time >= login_asked_at
    if wanted.prompt & {"login", "select_account"} and not again:
        return True
    if wanted.max_age is not None and not again and not is_fresh(signed_in.auth_time, wanted.max_age, now):
        return True
    if wanted.id_token_hint is None or _hint_fits(parts, work, wanted.id_token_hint, asked, signed_in):
        return False
    if again:
        raise LoginRequired("hint.not_this_person")
    return True


def _hint_fits(parts: "OAuthParts", work: Work, hint: str, asked: Asked, signed_in: SignedIn) -> bool:
    """Tell whether `id_token_hint` is this client's, about this person; one with `act` never is (design section 3)."""
    try:
        token = parts.verifier.verify_hint(work.session, hint)
    except UntrustworthyTokenError:
        return False
    return (
        token.kind is Kind.ID
        and token.act is None
        and token.client_id == asked.client.client_id
        and token.user_id == signed_in.user_id
    )


def consented(asked: Asked, signed_in: SignedIn) -> str:
    """Return what the proof of a consent is about: this request, in this person's session and no other."""
    return f"{signed_in.session_id}.{asked.query}"


def _not_allowed_yet(
    parts: "OAuthParts", work: Work, asked: Asked, signed_in: SignedIn, markers: list[str]
) -> tuple[Scope, ...]:
    scopes = available(work.session, signed_in.user_id, asked.target)
    consented_at = parts.markers.asked_at("consent", consented(asked, signed_in), markers)
    if "consent" in asked.request.prompt and consented_at is None:
        return scopes
    if asked.client.first_party:
        return ()
    has = authorizations.granted(work.session, signed_in.user_id, asked.client.client_id)
    missing = tuple(scope for scope in scopes if scope.name not in has)
    return scopes if missing or (OFFLINE_ACCESS in asked.target.names and OFFLINE_ACCESS not in has) else ()
