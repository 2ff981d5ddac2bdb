"""Sign-in at a trusted issuer: this server as its client (OIDC Core §3.1, RFC 7636, RFC 9207, RFC 9700 §2.1)."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.federation.discovery import Metadata
from authserver.federation.foreign import ForeignToken
from authserver.federation.redemption import check_at_hash, redeem, with_userinfo
from authserver.federation.refusals import FederationError, UnavailableError, UntrustworthyError
from authserver.federation.step_up import Meets, StepUpError, UpstreamError, asked_acr, checked_auth_time
from authserver.federation.trusted import KnownIssuer, TrustedIssuers
from authserver.protocol.refusals import Busy
from authserver.storage import federation
from authserver.storage.database import Work
from authserver.storage.federation import StoredUpstreamLogin
from authserver.tokens.secret_hashes import SecretHasher, SecretKind

_KNOWN_ERRORS = frozenset(
    {
        "access_denied",
        "account_selection_required",
        "consent_required",
        "interaction_required",
        "invalid_request",
        "invalid_scope",
        "login_required",
        "server_error",
        "temporarily_unavailable",
        "unauthorized_client",
        "unmet_authentication_requirements",
        "unsupported_response_type",
    }
)
_MAX_PARAMETER = 4096
_MAX_UNDER_WAY = 20_000
_MAX_HINT = 6144
"""A longer ID token stays out of the URL, which servers cut at 8 KiB: `client_id` names us without it."""


@dataclass(frozen=True, slots=True)
class Offer:
    """An issuer that people may sign in at: its name in paths, and what the button says."""

    name: str
    label: str
    population: str


@dataclass(frozen=True, slots=True)
class Begun:
    """Where to send the browser, and what its cookie has to hold until it comes back."""

    url: str
    browser_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Finished:
    """Who came back, and where they were going; `id_token` serves as hint when they sign out there.

    `auth_time` is when they proved who they are: within the leeway of clocks, what was asked to be fresh is.
    """

    token: ForeignToken
    auth_time: int
    return_to: str
    id_token: str = field(repr=False)


class UpstreamSignIn:
    """Sends browsers to trusted issuers, and verifies what they come back with."""

    def __init__(
        self, trusted: TrustedIssuers, hasher: SecretHasher, clock: Clock, entropy: Entropy, meets: Meets
    ) -> None:
        """Sign in at the issuers of `trusted` that have a `client_id`; `meets` judges how strongly."""
        self._trusted = trusted
        self._meets = meets
        self._hasher = hasher
        self._clock = clock
        self._entropy = entropy

    def offers(self) -> tuple[Offer, ...]:
        """Return the issuers that people may sign in at."""
        return tuple(
            Offer(known.name, known.settings.label or known.name, known.settings.population)
            for known in self._trusted.all()
            if known.settings.client_id is not None
        )

    def offer_of(self, issuer: str | None) -> Offer | None:
        """Return the offer of an issuer, by what it calls itself."""
        known = self._trusted.of(issuer)
        return next((offer for offer in self.offers() if known is not None and offer.name == known.name), None)

    def begin(  # noqa: PLR0913 - what a sign-in may ask for
        self,
        work: Work,
        name: str,
        *,
        redirect_uri: str,
        return_to: str,
        max_age: int | None = None,
        acr_values: Sequence[str] = (),
        prompt: str | None = None,
        login_hint: str | None = None,
        old_secret: str = "",
    ) -> Begun:
        """Begin a sign-in, bound to one browser by a cookie, in place of the one of its `old_secret`.

        Raises UpstreamError, and Busy when more are under way than a server ever needs: whoever begins them proves
        nothing. Locks, the caller commits.

        `acr_values` are in our words, and are asked for in the issuer's. With a `max_age`, 0 for a sign-in that has to
        be done now, the issuer has to say when it was done.
        """
        known = self._known(name)
        acr_there = asked_acr(known, self._meets, acr_values, return_to)
        work.commit()  # nothing is held while the issuer is asked
        endpoint = self._metadata(known).authorization_endpoint
        if endpoint is None:
            raise UpstreamError("upstream.no_authorization_endpoint")
        state, nonce, verifier, secret = (self._entropy.token() for _ in range(4))
        browser = f"{secret}.{state}"
        until, asked_here = self._clock.now() + known.settings.login_seconds, " ".join(acr_values)
        begun = StoredUpstreamLogin(known.settings.issuer, nonce, verifier, return_to, max_age, asked_here, until)
        self._remember(work, begun, old_secret, browser)
        asked = {
            "redirect_uri": redirect_uri,
            "state": state,
            "nonce": nonce,
            "code_challenge": _s256(verifier),
            "max_age": None if max_age is None else str(max_age),
            "acr_values": " ".join(acr_there) or None,
            "prompt": prompt,
            "login_hint": login_hint,
        }
        return Begun(_with_query(endpoint, {**_always_asked(known), **asked}), browser)

    def finish(
        self, work: Work, name: str, *, redirect_uri: str, browser_secret: str | None, params: Mapping[str, str]
    ) -> Finished:
        """Verify what a browser came back with from issuer `name`. Raises UpstreamError with a reason of its own.

        The sign-in is used up, and that committed, before anything else is looked at.
        """
        known = self._known(name)
        login = self._consume(work, known, browser_secret, params)
        try:
            metadata = self._metadata(known)
            code = _code(known, metadata, params)
            answer = redeem(known, metadata, redirect_uri, code, login.code_verifier)
            return self._verified(known, metadata, login, answer)
        except StepUpError:
            raise
        except FederationError as error:
            raise UpstreamError(error.reason, login.return_to) from error

    def signs_out_at(self, issuer: str | None) -> str | None:
        """Return the name of an issuer where people are sent on to sign out too, as configured."""
        known = self._trusted.of(issuer)
        if known is None or known.settings.client_id is None or not known.settings.sign_out_there:
            return None
        return known.name

    def keeps_id_token(self, issuer: str) -> bool:
        """Tell whether an issuer's ID token will be of use when its person signs out."""
        known = self._trusted.of(issuer)
        wanted = known is not None and known.settings.logout_by == "id_token_hint"
        return wanted and self.signs_out_at(issuer) is not None

    def sign_out_url(
        self, name: str, *, sid: str | None, id_token: str | None, return_to: str, state: str
    ) -> str | None:
        """Return where to sign out of issuer `name` too; None where it does not say (RP-Initiated Logout §2).

        The issuer's name for the session, `sid`, tells it who leaves, or its ID token where it is configured so.

        Raises UpstreamError. It may have to ask the issuer: nothing may be held meanwhile.
        """
        known = self._known(name)
        endpoint = self._metadata(known).end_session_endpoint
        if endpoint is None:
            return None
        by_token = known.settings.logout_by == "id_token_hint"
        asked = {
            "id_token_hint": id_token if by_token and id_token is not None and len(id_token) <= _MAX_HINT else None,
            "logout_hint": None if by_token else sid,
            "client_id": known.settings.client_id,
            "post_logout_redirect_uri": return_to,
            "state": state,
        }
        return _with_query(endpoint, asked)

    def _known(self, name: str) -> KnownIssuer:
        known = self._trusted.find(name)
        if known is None or known.settings.client_id is None:
            raise UpstreamError("upstream.unknown_issuer")
        return known

    @staticmethod
    def _metadata(known: KnownIssuer) -> Metadata:
        try:
            return known.metadata.get()
        except UnavailableError as error:
            raise UpstreamError(error.reason) from error

    def _remember(self, work: Work, begun: StoredUpstreamLogin, old_secret: str, browser_secret: str) -> None:
        work.lock()
        if old_secret:
            federation.drop_login(work.session, **self._hashes(old_secret))
        if federation.count_logins(work.session, now=self._clock.now()) >= _MAX_UNDER_WAY:
            raise Busy("upstream.too_many")
        federation.add_login(work.session, begun, **self._hashes(browser_secret))

    def _hashes(self, browser_secret: str) -> dict[str, str]:
        """Return what a browser's sign-in is found by: its secret holds the state too, after a dot."""
        return {
            "state_hash": self._hasher.hash(SecretKind.UPSTREAM_STATE, browser_secret.partition(".")[2]),
            "browser_hash": self._hasher.hash(SecretKind.UPSTREAM_BROWSER, browser_secret),
        }

    def _consume(
        self, work: Work, known: KnownIssuer, browser_secret: str | None, params: Mapping[str, str]
    ) -> StoredUpstreamLogin:
        state = params.get("state", "")
        if not state or browser_secret is None:
            raise UpstreamError("upstream.no_state" if not state else "upstream.no_cookie")
        state_hash = self._hasher.hash(SecretKind.UPSTREAM_STATE, state)
        browser_hash = self._hasher.hash(SecretKind.UPSTREAM_BROWSER, browser_secret)
        work.lock()
        login = federation.consume_login(work.session, state_hash, browser_hash, now=self._clock.now())
        if login is None:
            raise UpstreamError(f"upstream.state:{federation.why_not_consumed(work.session, state_hash, browser_hash)}")
        work.commit()
        if login.issuer != known.settings.issuer:
            raise UpstreamError("upstream.answer_of_another_issuer", login.return_to)
        return login

    def _verified(
        self, known: KnownIssuer, metadata: Metadata, login: StoredUpstreamLogin, answer: Mapping[str, Any]
    ) -> Finished:
        """Validate the ID token (OIDC Core §3.1.3.7)."""
        id_token, access_token = str(answer["id_token"]), answer.get("access_token")
        unverified = self._trusted.read(id_token)
        token = known.verification.verify(unverified, frozenset({"sign_in"}))
        client_id = known.settings.client_id or ""
        if client_id not in token.audience or not token.issued_to <= {client_id}:
            raise UntrustworthyError("upstream.audience")
        if token.claims.get("nonce") != login.nonce:
            raise UntrustworthyError("upstream.nonce")
        if token.carries_act:
            raise UntrustworthyError("upstream.carries_act")
        auth_time = checked_auth_time(known, token, login)
        if not self._meets(token.acr, login.acr_values.split()):
            raise StepUpError("upstream.acr_not_met", login.return_to)
        if isinstance(access_token, str):
            check_at_hash(str(unverified.header.get("alg")), token, access_token)
            token = with_userinfo(known, metadata, token, access_token)
        return Finished(token, auth_time, login.return_to, id_token)


def _always_asked(known: KnownIssuer) -> dict[str, str | None]:
    settings = known.settings
    return {
        "response_type": "code",
        "client_id": settings.client_id,
        "scope": " ".join(settings.scopes),
        "code_challenge_method": "S256",
    }


def _code(known: KnownIssuer, metadata: Metadata, params: Mapping[str, str]) -> str:
    """Return the code of an authorization response, after its `iss` (RFC 9207 §2.4) and its error."""
    iss = params.get("iss")
    if (iss is None and metadata.sends_iss) or iss not in {None, known.settings.issuer}:
        raise UntrustworthyError("upstream.answer_of_another_issuer")
    error, code = params.get("error"), params.get("code", "")
    if error is not None:
        raise UntrustworthyError(f"upstream.error:{error if error in _KNOWN_ERRORS else 'other'}")
    if not 0 < len(code) <= _MAX_PARAMETER:
        raise UntrustworthyError("upstream.no_code")
    return code


def _s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode()


def _with_query(endpoint: str, asked: Mapping[str, str | None]) -> str:
    """Add parameters to an endpoint, which may have some of its own (RFC 6749 §3.1)."""
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{query}"
