"""What the protocol's edge is made of; `app/` puts it together."""

from dataclasses import dataclass

from authserver.accounts.devices import Devices
from authserver.accounts.throttle import Throttle
from authserver.audit.chain import Trail
from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.impersonation.consents import Consents
from authserver.impersonation.lifecycle import Lifecycle
from authserver.impersonation.minting import Minting
from authserver.impersonation.support_codes import SupportCodes
from authserver.oauth.client_auth import ClientAuthentication
from authserver.oauth.evidence import EvidenceRules
from authserver.settings import Settings
from authserver.tokens.issuer import Issuer
from authserver.tokens.keyring import Keyring
from authserver.tokens.secret_hashes import SecretHasher
from authserver.tokens.verifier import Verifier
from authserver.web.bearer import BearerAuthentication
from authserver.web.browser import Browser
from authserver.web.leaving import Leaving
from authserver.web.markers import Markers
from authserver.web.refusals import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthParts:
    """Everything that endpoints and grants rest on."""

    settings: Settings
    clock: Clock
    keyring: Keyring
    trail: Trail
    issuer: Issuer
    verifier: Verifier
    client_authentication: ClientAuthentication
    evidence: EvidenceRules
    lifecycle: Lifecycle
    consents: Consents
    minting: Minting
    refusals: Evidence
    entropy: Entropy
    hasher: SecretHasher
    bearer: BearerAuthentication
    browser: Browser
    leaving: Leaving
    markers: Markers
    devices: Devices
    throttle: Throttle
    support_codes: SupportCodes
