"""What the pages are made of; `app/` puts it together."""

from dataclasses import dataclass

from authserver.accounts.devices import Devices
from authserver.accounts.sessions import Sessions
from authserver.accounts.sign_in import SignIn
from authserver.appetize.parts import AppetizeParts
from authserver.audit.chain import Trail
from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.federation.logout import UpstreamLogouts
from authserver.federation.people import FederatedPeople
from authserver.federation.upstream import UpstreamSignIn
from authserver.impersonation.consents import Consents
from authserver.impersonation.lifecycle import Lifecycle
from authserver.impersonation.minting import Minting
from authserver.impersonation.notify.objections import Objections
from authserver.impersonation.standing_consents import StandingConsents
from authserver.impersonation.support_codes import SupportCodes
from authserver.settings import Settings
from authserver.tokens.issuer import Issuer
from authserver.web.bearer import BearerAuthentication
from authserver.web.browser import Browser
from authserver.web.event_stream import Streaming
from authserver.web.leaving import Leaving
from authserver.web.markers import Markers
from authserver.web.refusals import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class PageParts:
    """Everything that the pages rest on."""

    settings: Settings
    clock: Clock
    entropy: Entropy
    browser: Browser
    sessions: Sessions
    sign_in: SignIn
    devices: Devices
    upstream: UpstreamSignIn
    people: FederatedPeople
    issuer: Issuer
    minting: Minting
    bearer: BearerAuthentication
    support_codes: SupportCodes
    consents: Consents
    standing: StandingConsents
    lifecycle: Lifecycle
    logouts: UpstreamLogouts
    leaving: Leaving
    markers: Markers
    trail: Trail
    refusals: Evidence
    objections: Objections
    appetize: AppetizeParts
    streaming: Streaming
