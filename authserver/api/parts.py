"""What the API is made of; `app.py` puts it together."""

from dataclasses import dataclass

from authserver.appetize.handoffs import Handoffs
from authserver.audit.chain import Trail
from authserver.clock import Clock
from authserver.impersonation.decisions import Decisions
from authserver.impersonation.lifecycle import Lifecycle
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
    decisions: Decisions
    handoffs: Handoffs
    refusals: Evidence
