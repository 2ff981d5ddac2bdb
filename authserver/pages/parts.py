"""What the pages are made of; `app.py` puts it together."""

from dataclasses import dataclass

from authserver.accounts.sessions import Sessions
from authserver.accounts.sign_in import SignIn
from authserver.audit.chain import Trail
from authserver.clock import Clock
from authserver.federation.people import FederatedPeople
from authserver.federation.upstream import UpstreamSignIn
from authserver.impersonation.notify.objections import Objections
from authserver.settings import Settings
from authserver.web.browser import Browser
from authserver.web.refusals import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class PageParts:
    """Everything that the pages rest on."""

    settings: Settings
    clock: Clock
    browser: Browser
    sessions: Sessions
    sign_in: SignIn
    upstream: UpstreamSignIn
    people: FederatedPeople
    trail: Trail
    refusals: Evidence
    objections: Objections
