"""What the API is made of; `app.py` puts it together."""

from dataclasses import dataclass

from authserver.accounts.throttle import Throttle
from authserver.appetize.handoffs import Handoffs
from authserver.audit.chain import Trail
from authserver.clock import Clock
from authserver.impersonation.approvals import Approvals
from authserver.impersonation.consents import Consents
from authserver.impersonation.extension import Extension
from authserver.impersonation.lifecycle import Lifecycle
from authserver.impersonation.reports import Reports
from authserver.impersonation.standing_consents import StandingConsents
from authserver.settings import Settings
from authserver.web.bearer import BearerAuthentication
from authserver.web.refusals import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiParts:
    """Everything that the operations rest on."""

    settings: Settings
    clock: Clock
    trail: Trail
    bearer: BearerAuthentication
    lifecycle: Lifecycle
    approvals: Approvals
    consents: Consents
    standing: StandingConsents
    extension: Extension
    reports: Reports
    handoffs: Handoffs
    throttle: Throttle
    refusals: Evidence
