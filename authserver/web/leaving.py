"""Signing out: here at once, then at the IdP where the person signed in, then where the client wants them.

What ends here has ended, and that is durable, before anybody else is asked.
"""

import base64
import binascii
import hmac
import json

from flask import Response, render_template, request

from authserver.accounts.sessions import Sessions, Upstream
from authserver.audit.chain import Trail
from authserver.audit.events.sign_in import LogoutNotPassedOn
from authserver.entropy import Entropy
from authserver.federation.foreign import ForeignToken
from authserver.federation.refusals import FederationError
from authserver.federation.upstream import UpstreamSignIn
from authserver.storage.database import Work
from authserver.storage.sign_ins import BrowserSession
from authserver.tokens.sealing import Sealer, UnsealError
from authserver.web.browser import Browser, SignedIn
from authserver.web.markers import Markers
from authserver.web.pages import go_from_form, go_to, hand_over, page

_COOKIE = "signout"
_COOKIE_SECONDS = 900
_MARKER = "signout"
_PURPOSE = "upstream-id-token"


class Leaving:
    """Ends a browser's session and sends the person on, RP-Initiated Logout on both sides of this server."""

    def __init__(  # noqa: PLR0913 - everything it rests on, injected
        self,
        issuer: str,
        *,
        browser: Browser,
        sessions: Sessions,
        upstream: UpstreamSignIn,
        sealer: Sealer,
        trail: Trail,
        markers: Markers,
        entropy: Entropy,
    ) -> None:
        """Be where people come back to as `issuer`."""
        self._back = f"{issuer}/logout/callback"
        self._browser = browser
        self._sessions = sessions
        self._upstream = upstream
        self._sealer = sealer
        self._trail = trail
        self._markers = markers
        self._entropy = entropy

    def remembered(self, user_id: str, token: ForeignToken, id_token: str) -> Upstream:
        """Return what a session keeps of a sign-in upstream: the ID token only where it will be of use, and sealed."""
        of_use = self._upstream.keeps_id_token(token.issuer)
        sealed = self._sealer.seal(_PURPOSE, user_id, id_token.encode()) if of_use else None
        return Upstream(token.issuer, token.sid, sealed)

    def leave(self, work: Work, signed_in: SignedIn, target: str | None) -> Response:
        """End the session of this browser, and send the person on; `target` has been checked, None is our own page."""
        held = self._sessions.find(work, self._browser.cookie())
        self._sessions.end(work, signed_in.session_id, user_id=signed_in.user_id, by=signed_in.user_id)
        work.commit()  # whatever becomes of the rest; and nothing is held while the issuer is asked
        name = None if held is None else self._upstream.signs_out_at(held.issuer)
        if held is None or name is None:
            return self.left(target)
        state = self._entropy.token()
        try:
            hint, sid = self._hint(held), held.upstream_sid
            url = self._upstream.sign_out_url(name, sid=sid, id_token=hint, return_to=self._back, state=state)
        except FederationError as error:
            return self._not_passed_on(work, held, error.reason, target)
        if url is None:
            return self._not_passed_on(work, held, "upstream.no_end_session_endpoint", target)
        response = hand_over(url) if request.method == "POST" else go_to(url)
        self._browser.clear(response)
        self._browser.set(response, self._keep(state, target), kind=_COOKIE, max_age=_COOKIE_SECONDS)
        return response

    def come_back(self, work: Work, state: str) -> Response:
        """Send a person who comes back from the issuer to where they were going; whoever else comes, nowhere."""
        kept_state, target = self._kept(self._browser.cookie(_COOKIE))
        expected = bool(kept_state) and hmac.compare_digest(kept_state.encode(), state.encode())
        if not expected and self._browser.signed_in(work) is not None:
            return go_to("/account")
        response = self.left(target if expected else None, keep_session=True)
        self._browser.clear(response, kind=_COOKIE)
        return response

    def left(self, target: str | None, *, keep_session: bool = False, elsewhere: bool = False) -> Response:
        """Answer who is signed out; `elsewhere` says that at their organisation they still may be signed in."""
        html = render_template("signed_out.html", elsewhere=elsewhere) if target is None else ""
        leads = target if request.method == "POST" else None
        response = page(html) if target is None else go_from_form(target, leads)
        if not keep_session:
            self._browser.clear(response)
        return response

    def _not_passed_on(self, work: Work, held: BrowserSession, reason: str, target: str | None) -> Response:
        event = LogoutNotPassedOn(session_id=held.id, user_id=held.user_id, issuer=held.issuer or "", reason=reason)
        work.lock()
        self._trail.record(work, event)
        return self.left(target, elsewhere=True)

    def _hint(self, held: BrowserSession) -> str | None:
        if held.sealed_id_token is None:
            return None
        try:
            return self._sealer.unseal(_PURPOSE, held.user_id, held.sealed_id_token).decode()
        except UnsealError:
            return None

    def _keep(self, state: str, target: str | None) -> str:
        """Return a cookie's value: it stands in no URL, so the issuer never learns where the person goes."""
        kept = base64.urlsafe_b64encode(json.dumps([state, target]).encode()).decode()
        return f"{kept}.{self._markers.make(_MARKER, kept)}"

    def _kept(self, cookie: str) -> tuple[str, str | None]:
        kept, _, marker = cookie.partition(".")
        if self._markers.asked_at(_MARKER, kept, [marker]) is None:
            return "", None
        try:
            state, target = json.loads(base64.urlsafe_b64decode(kept))
        except (ValueError, binascii.Error):
            return "", None
        return state, target
