"""What a caller may ask for: by which client, for which resources, in which apps; and what they would ask with it."""

from authserver.api import names
from authserver.api.call import Call
from authserver.api.schemas_desk import (
    LifetimeOut,
    OfferedAppOut,
    OfferedClientOut,
    OfferedResourceOut,
    OfferedScopeOut,
    OptionsOut,
    PreviewQuery,
    ReasonCodeOut,
)
from authserver.impersonation import reasons
from authserver.impersonation.asks import ActingPerson, Ask
from authserver.protocol.access import ISSUER_SCOPES
from authserver.protocol.names import GRANT_TOKEN_EXCHANGE, Mode, Way
from authserver.protocol.refusals import InvalidRequest, InvalidToken
from authserver.storage import clients, people, resources
from authserver.storage.clients import RegisteredClient
from authserver.tokens import targets


def options(present: Call, client_id: str | None) -> OptionsOut:
    """Return what a start of the caller's may say."""
    settings = present.parts.settings
    able = present.parts.desk.abilities(present.work.session, ask(present, None))
    offered = _exchanging(present)
    client = _chosen(present, offered, client_id)
    limit = settings.impersonation.expires_in
    return OptionsOut(
        reason_codes=[
            ReasonCodeOut(code=code, label=reasons.label(code)) for code in settings.impersonation.reason_codes
        ],
        reason_required=able.reason_required,
        reason_code_required=able.reason_code_required,
        ticket_required=able.ticket_required,
        ticket_pattern=settings.impersonation.ticket_pattern,
        modes=list(able.modes),
        default_mode=able.modes[0] if able.modes else Mode.READ_ONLY,
        expires_in=LifetimeOut(default=limit, maximum=limit),
        client_id=None if client is None else client.client_id,
        clients=[OfferedClientOut(client_id=each.client_id, name=each.name) for each in offered],
        resources=[] if client is None else _resources(present, client),
        apps=_apps(present),
        consent_ways=list(settings.consent.ways),
        break_glass=able.break_glass,
        withholding_reason_codes=list(settings.notification.withholding_reason_codes),
    )


def ask(present: Call, query: PreviewQuery | None, *, subject_id: str = "") -> Ask:
    """Return what the caller would ask; without a query, only what they themselves bring to it."""
    bearer, session = present.caller, present.work.session
    if bearer.token.authentication is None:
        raise InvalidToken("token.not_a_person")
    wanted = query or PreviewQuery()
    client = _own(present) if query is None else _chosen(present, _exchanging(present), wanted.client_id)
    if client is None:
        raise InvalidRequest("client.not_named", "client_id is needed: more than one client may exchange, or none.")
    target = None if query is None else targets.resolve(session, client, (wanted.resource or "").split(), None)
    limit = present.parts.settings.impersonation.expires_in
    return Ask(
        way="api",
        actor=ActingPerson(user_id=bearer.user_id, authentication=bearer.token.authentication),
        client=client,
        subject_id=subject_id,
        resources=() if target is None else target.resources,
        asked=() if target is None else target.asked,
        mode=wanted.mode or Mode.READ_ONLY,
        reason="",
        reason_code=wanted.reason_code,
        ticket_id=wanted.ticket_id,
        lifetime=min(wanted.expires_in or limit, limit),
        break_glass=False,
        client_address=present.trace.address,
    )


def may_exchange(client: RegisteredClient) -> bool:
    """Tell whether a client may exchange the handle of what is started here."""
    return client.enabled and GRANT_TOKEN_EXCHANGE in client.grant_types and Way.IMPERSONATION in client.ways


def _own(present: Call) -> RegisteredClient | None:
    return clients.find(present.work.session, present.caller.token.client_id)


def _exchanging(present: Call) -> list[RegisteredClient]:
    return [client for client in clients.registered(present.work.session) if may_exchange(client)]


def _chosen(present: Call, offered: list[RegisteredClient], client_id: str | None) -> RegisteredClient | None:
    """Return the client that is named, or the caller's own, or the only one that there is."""
    named = client_id or present.caller.token.client_id
    found = next((client for client in offered if client.client_id == named), None)
    if found is None and client_id is not None:
        raise InvalidRequest("client.cannot_exchange", "client_id is not a client that may exchange.")
    return offered[0] if found is None and len(offered) == 1 else found


def _resources(present: Call, client: RegisteredClient) -> list[OfferedResourceOut]:
    """Return what the client may exchange for, its defaults first; what can never be delegated is left out."""
    session = present.work.session
    said = resources.descriptions(session)
    usable = [
        scope
        for scope in resources.scopes_of(session).values()
        if scope.name in client.scopes - ISSUER_SCOPES and not scope.non_delegable
    ]
    shown = [
        OfferedResourceOut(
            uri=row.uri,
            name=row.name,
            default=row.uri in client.default_resources,
            scopes=[
                OfferedScopeOut(name=scope.name, access=scope.access, description=said.get(scope.name, ""))
                for scope in usable
                if scope.resource == row.uri
            ],
        )
        for row in resources.listing(session)
    ]
    return sorted((each for each in shown if each.scopes), key=lambda each: not each.default)


def _apps(present: Call) -> list[OfferedAppOut]:
    user = people.find(present.work.session, present.caller.user_id)
    roles, groups = (frozenset[str](),) * 2 if user is None else (frozenset(user.roles), frozenset(user.groups))
    apps = present.parts.appetize.apps.in_force(present.work.session)
    return [
        OfferedAppOut(name=name, label=names.of_app(name), platform=app.platform)
        for name, app in apps.items()
        if app.lets(roles, groups)
    ]
