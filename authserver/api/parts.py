"""What the API is made of; `app.py` puts it together."""

from dataclasses import dataclass

from flask import Flask

from authserver.api.slots import Slots
from authserver.api.watch import Watch
from authserver.appetize.handoffs import Handoffs
from authserver.audit.chain import Trail
from authserver.clock import Clock
from authserver.impersonation.approvals import Approvals
from authserver.impersonation.consents import Consents
from authserver.impersonation.device_sessions import DeviceSessions
from authserver.impersonation.extension import Extension
from authserver.impersonation.lifecycle import Lifecycle
from authserver.impersonation.reports import Reports
from authserver.settings import Settings
from authserver.web.bearer import BearerAuthentication
from authserver.web.refusals import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiParts:
    """Everything that the operations rest on."""

    app: Flask
    settings: Settings
    clock: Clock
    trail: Trail
    bearer: BearerAuthentication
    lifecycle: Lifecycle
    approvals: Approvals
    consents: Consents
    extension: Extension
    reports: Reports
    devices: DeviceSessions
    handoffs: Handoffs
    watch: Watch
    slots: Slots
    refusals: Evidence
