"""What the API is made of; `app/` puts it together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Flask

from authserver.accounts.throttle import Throttle
from authserver.api.configuration_parts import ConfigurationParts
from authserver.api.prover import Prover
from authserver.appetize.parts import AppetizeParts
from authserver.audit.chain import Trail
from authserver.clock import Clock
from authserver.impersonation.actions import Actions
from authserver.impersonation.approvals import Approvals
from authserver.impersonation.consents import Consents
from authserver.impersonation.decisions import Decisions
from authserver.impersonation.desk import Desk
from authserver.impersonation.device_sessions import DeviceSessions
from authserver.impersonation.extension import Extension
from authserver.impersonation.lifecycle import Lifecycle
from authserver.impersonation.reports import Reports
from authserver.impersonation.standing_consents import StandingConsents
from authserver.registry.parts import Registry
from authserver.settings import Settings
from authserver.storage.clients import RegisteredClient
from authserver.storage.database import Work
from authserver.web.bearer import BearerAuthentication
from authserver.web.possession import Possession
from authserver.web.refusals import Evidence, Trace
from authserver.web.slots import Slots
from authserver.web.watch import Watch

AuthenticateClient = Callable[[Work, Mapping[str, str], Trace], RegisteredClient]
"""Authenticates the client of the present request, by its header or by an assertion among these members."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiParts:
    """Everything that the operations rest on."""

    app: Flask
    settings: Settings
    clock: Clock
    trail: Trail
    bearer: BearerAuthentication
    possession: Possession
    authenticate_client: AuthenticateClient
    desk: Desk
    lifecycle: Lifecycle
    decisions: Decisions
    approvals: Approvals
    consents: Consents
    standing: StandingConsents
    extension: Extension
    reports: Reports
    devices: DeviceSessions
    appetize: AppetizeParts
    actions: Actions
    watch: Watch
    slots: Slots
    throttle: Throttle
    refusals: Evidence
    prover: Prover
    registry: Registry
    configuration: ConfigurationParts
