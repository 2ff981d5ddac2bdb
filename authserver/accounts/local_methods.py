"""Who may have a password, an authenticator app, recovery codes and passkeys of their own here.

Whom a trusted issuer signs in is signed in by it alone, unless its settings say otherwise: what they enrolled here
would outlive their account there, and outrank what is asked of them there.
"""

from authserver.protocol.refusals import Forbidden
from authserver.settings_federation import Federation
from authserver.storage import DbSession, federation

_WORDS = "You sign in at your organisation. What you sign in with is set up there."


class LocalMethods:
    """Tells for whom the methods of this server count."""

    def __init__(self, settings: Federation) -> None:
        """Go by the `local_methods` of each issuer that people sign in at."""
        self._allowed = {issuer.issuer: issuer.local_methods for issuer in settings.issuers.values()}
        self._alone = frozenset(
            issuer.issuer
            for issuer in settings.issuers.values()
            if issuer.client_id is not None and not issuer.local_methods
        )

    def count_for(self, session: DbSession, user_id: str) -> bool:
        """Tell whether a person signs in by them: none of the issuers whose they are keeps that to itself."""
        return self._alone.isdisjoint(federation.issuers_of(session, user_id)) if self._alone else True

    def may_change(self, session: DbSession, user_id: str, issuer: str | None) -> bool:
        """Tell whether a person may add one in a session that `issuer` began, None for a local one.

        An issuer that is trusted no more allows nothing.
        """
        return (issuer is None or self._allowed.get(issuer, False)) and self.count_for(session, user_id)

    def demand(self, session: DbSession, user_id: str, issuer: str | None) -> None:
        """Raise Forbidden unless a person may add one."""
        if not self.may_change(session, user_id, issuer):
            raise Forbidden("account.signs_in_elsewhere", _WORDS)
