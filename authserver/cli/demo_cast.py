"""The cast of the demo (design section 9): people, clients and resource servers, made anew where they are missing."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from authserver.app import DEMO_MARK, Wired, prepare
from authserver.audit.events.changes import ClientChanged, ResourceChanged, UserChanged
from authserver.audit.events.governance import ConsentGranted
from authserver.audit.events.sign_in import CredentialChanged
from authserver.protocol.access import ISSUER_SCOPES, entitled
from authserver.protocol.names import (
    GRANT_AUTHORIZATION_CODE,
    GRANT_CLIENT_CREDENTIALS,
    GRANT_DEVICE_CODE,
    GRANT_REFRESH_TOKEN,
    GRANT_TOKEN_EXCHANGE,
    Kind,
    Population,
    Role,
    Way,
)
from authserver.protocol.scopes import Scope
from authserver.storage import accounts, clients, impersonations, marks, people, resources
from authserver.storage.database import Work, unit_of_work
from authserver.storage.tables import Client, Consent, Resource, Session, User
from authserver.tokens.issuer import Draft
from authserver.tokens.secret_hashes import SecretKind

API = "https://api.example.com"
PAYMENTS = "https://payments.example.com"
BY = "demo"
MEANT_SO = frozenset({"resource-server", PAYMENTS})
"""Of the cast, what has less than others of its kind, and is meant so: no scope, and no owner."""
TOKEN_SECONDS = 3600
_SESSION_SECONDS = 12 * 3600
_CONSENT_SECONDS = 365 * 86400
_ACR, _AMR = "urn:authserver:acr:mfa", ["pwd", "otp", "mfa"]
_PASSKEY_ACR, _PASSKEY_AMR = "phr", ["hwk", "user", "mfa"]
_BREAK_GLASS = "break-glass"

_SCOPES = (
    Scope("accounts:read", API, "read"),
    Scope("cards:write", API, "write"),
    Scope("contacts:write", API, "write", non_delegable=True),
    Scope("payments:read", PAYMENTS, "read"),
    Scope("drafts:write", PAYMENTS, "write"),
    Scope("payments:execute", PAYMENTS, "write", non_delegable=True),
)
_SCOPES_IN_WORDS = {
    "accounts:read": "See your accounts, their balances and transactions",
    "cards:write": "Block and unblock your cards",
    "contacts:write": "Change your address, phone number and e-mail address",
    "payments:read": "See your payments and standing orders",
    "drafts:write": "Prepare payments for you to release",
    "payments:execute": "Release payments",
}


@dataclass(frozen=True, slots=True)
class _Member:
    key: str
    name: str
    role: Role
    tier: str = "standard"
    standing_consent: bool = False
    enabled: bool = True
    groups: tuple[str, ...] = ()
    locale: str = ""
    time_zone: str = ""
    appearance: str = ""


CAST = (
    _Member("agent", "Avery Agent", Role.SUPPORT),
    _Member("agent2", "Blake Agent", Role.SUPPORT),
    _Member("lead", "Lee Lead", Role.LEAD, groups=(_BREAK_GLASS,)),
    _Member("auditor", "Aubrey Auditor", Role.AUDITOR),
    _Member("admin", "Ashley Admin", Role.ADMIN),
    _Member(
        "customer",
        "Casey Customer",
        Role.CUSTOMER,
        standing_consent=True,
        locale="sv-SE",
        time_zone="Europe/Stockholm",
        appearance="dark",
    ),
    _Member("customer-ask", "Charlie Customer", Role.CUSTOMER),
    _Member("vip", "Vivian Customer", Role.CUSTOMER, tier="vip", standing_consent=True),
    _Member("disabled", "Dana Customer", Role.CUSTOMER, enabled=False),
)


def seed(wired: Wired) -> None:
    """Make whatever of the cast is missing, and mark the database. Needs an app context."""
    prepare(wired)
    with unit_of_work() as work:
        work.lock()
        marks.put(work.session, DEMO_MARK, wired.settings.issuer)
        _seed_clients(wired, work)
        _seed_resources(wired, work)
        for member in CAST:
            _seed_member(wired, work, member)


def _seed_clients(wired: Wired, work: Work) -> None:
    every_scope = [*(scope.name for scope in _SCOPES), *sorted(ISSUER_SCOPES)]
    exchanging = {
        "grant_types": [
            GRANT_AUTHORIZATION_CODE,
            GRANT_REFRESH_TOKEN,
            GRANT_DEVICE_CODE,
            GRANT_CLIENT_CREDENTIALS,
            GRANT_TOKEN_EXCHANGE,
        ],
        "redirect_uris": ["http://127.0.0.1/callback"],
        "post_logout_redirect_uris": ["http://127.0.0.1/signed-out"],
        "first_party": True,
        "ways": list(Way),
        "scopes": every_scope,
        "default_resources": [API],
        "presents_id_tokens": True,
        "receives_id_tokens": True,
    }
    plain = {"grant_types": [GRANT_CLIENT_CREDENTIALS], "ways": [], "default_resources": [API]}
    _seed_client(wired, work, "backend", "Support backend", **exchanging)
    if wired.settings.console.enabled:
        _seed_client(wired, work, "console", "Console", **_console(wired, exchanging))
    _seed_client(wired, work, "other-backend", "Another backend", scopes=["accounts:read"], **plain)
    _seed_client(wired, work, "resource-server", "The bank's API", scopes=[], **plain)


def _console(wired: Wired, exchanging: dict[str, Any]) -> dict[str, Any]:
    """Return what the console's client is: people sign in to it, and what they start there is minted for it (way C)."""
    issuer = wired.settings.issuer
    return {
        **exchanging,
        "grant_types": [GRANT_AUTHORIZATION_CODE, GRANT_REFRESH_TOKEN, GRANT_TOKEN_EXCHANGE],
        "redirect_uris": [f"{issuer}/console/callback"],
        "post_logout_redirect_uris": [],
        "ways": [Way.IMPERSONATION],
        "presents_id_tokens": False,
        "receives_id_tokens": False,
    }


def _seed_client(wired: Wired, work: Work, client_id: str, name: str, **values: Any) -> None:  # noqa: ANN401 - columns
    if clients.find(work.session, client_id) is not None:
        return
    now = wired.clock.now()
    row = Client(
        client_id=client_id,
        name=name,
        auth_method="client_secret",
        jwks=None,
        accepts_tokens_of=[],
        id_token_alg="RS256",
        created_at=now,
        **values,
    )
    clients.add(work.session, row)
    wired.trail.record(work, ClientChanged(client_id=client_id, action="created", by=BY))


def _seed_resources(wired: Wired, work: Work) -> None:
    for uri, name, owner in ((API, "Accounts", "resource-server"), (PAYMENTS, "Payments", None)):
        if uri in resources.find(work.session, [uri]):
            continue
        row = Resource(
            uri=uri,
            name=name,
            owner_client_id=owner,
            subject_identifier="id",
            extra_claims=[],
            reason_visible=uri == API,
        )
        resources.put(work.session, row)
        for scope in _SCOPES:
            if scope.resource == uri:
                words = _SCOPES_IN_WORDS[scope.name]
                resources.put_scope(work.session, scope, roles=[Role.CUSTOMER], description=words)
        wired.trail.record(work, ResourceChanged(uri=uri, action="registered", by=BY))


def _seed_member(wired: Wired, work: Work, member: _Member) -> None:
    username, now = f"{member.key}@example.com", wired.clock.now()
    row = people.by_username(work.session, username)
    if row is None:
        row = User(
            id=wired.entropy.identifier("usr"),
            username=username,
            email=username,
            email_verified=member.role is Role.CUSTOMER,
            name=member.name,
            population=Population.CUSTOMERS if member.role is Role.CUSTOMER else Population.STAFF,
            tier=member.tier,
            country="SE",
            roles=[member.role],
            groups=list(member.groups),
            conflicts=[],
            enabled=member.enabled,
            created_at=now,
            locale=member.locale,
            time_zone=member.time_zone,
            appearance=member.appearance,
        )
        people.add(work.session, row)
        wired.trail.record(work, UserChanged(user_id=row.id, action="created", by=BY))
    if member.standing_consent and impersonations.standing_consent(work.session, row.id, now=now) is None:
        _grant_standing_consent(wired, work, row.id, now)


def _grant_standing_consent(wired: Wired, work: Work, user_id: str, now: int) -> None:
    consent = Consent(
        id=wired.entropy.identifier("con"),
        kind="standing",
        subject_id=user_id,
        decision="approve",
        given_at=now,
        expires_at=now + _CONSENT_SECONDS,
    )
    impersonations.add_consent(work.session, consent)
    event = ConsentGranted(consent_id=consent.id, subject=user_id, expires_at=consent.expires_at)
    wired.trail.record(work, event)


def new_secrets(wired: Wired) -> dict[str, str]:
    """Give every client of the cast a new secret, and let the ones before run out; return them by client id.

    The console's own stands in the file where the console reads it, and nowhere else.
    """
    secrets = {name: wired.entropy.token() for name in ("backend", "resource-server", "other-backend")}
    console = {"console": wired.settings.console.secret()} if wired.settings.console.enabled else {}
    with unit_of_work() as work:
        work.lock()
        for client_id, secret in {**secrets, **console}.items():
            secret_hash, now = wired.hasher.hash(SecretKind.CLIENT_SECRET, secret), wired.clock.now()
            clients.add_secret(work.session, client_id, secret_hash, now=now)
            clients.expire_secrets(work.session, client_id, at=now, but=secret_hash)
            wired.trail.record(work, ClientChanged(client_id=client_id, action="secret_created", by=BY))
    return secrets


def new_passwords(wired: Wired) -> dict[str, str]:
    """Give everybody of the cast a new password; return them by key. Whoever is disabled has one too."""
    passwords = {member.key: wired.entropy.token() for member in CAST}
    hashes = {key: wired.sign_in.passwords.hash(password) for key, password in passwords.items()}
    with unit_of_work() as work:
        work.lock()
        for key, hashed in hashes.items():
            user = people.by_username(work.session, f"{key}@example.com")
            if user is not None:
                accounts.put_password(work.session, user.id, hashed, now=wired.clock.now())
                event = CredentialChanged(user_id=user.id, kind="password", action="set", by=BY)
                wired.trail.record(work, event)
    return passwords


def credentials(
    wired: Wired, secrets: dict[str, str], passwords: dict[str, str], device_stand_in: str | None = None
) -> dict[str, Any]:
    """Sign everybody in anew, and return what the credentials file holds (design section 9)."""
    issuer = wired.settings.issuer
    return {
        "issuer": issuer,
        "console": f"{issuer}/console" if wired.settings.console.enabled else None,
        "account": f"{issuer}/account",
        "clients": {
            client_id: {"client_id": client_id, "client_secret": secret} for client_id, secret in secrets.items()
        },
        "users": {member.key: _sign_in(wired, member, passwords[member.key]) for member in CAST},
        "resources": [API, PAYMENTS],
        "appetize": {"app": "demo-bank", "device_stand_in": device_stand_in},
        "resource_server": None,
    }


def names(content: dict[str, Any]) -> dict[str, str]:
    """Return what the cast's people are called, by their ids."""
    return {content["users"][member.key]["id"]: member.name for member in CAST}


def _sign_in(wired: Wired, member: _Member, password: str) -> dict[str, str | None]:
    with unit_of_work() as work:
        user = people.by_username(work.session, f"{member.key}@example.com")
        if user is None:
            msg = f"{member.key} is not seeded"
            raise LookupError(msg)
        shown: dict[str, str | None] = {"id": user.id, "username": user.username, "password": password}
        if not user.enabled:
            return {**shown, "access_token": None, "id_token": None}
        return shown | _tokens(wired, work, user)


def _tokens(wired: Wired, work: Work, user: User) -> dict[str, str | None]:
    """Return an access token and an ID token with a real session behind them."""
    now, session_id, user_id = wired.clock.now(), wired.entropy.identifier("ses"), user.id
    acr, amr = _proof(user)
    drafts = _drafts(wired, user, session_id, now, resources.scopes_of_roles(work.session, user.roles))
    minted = [wired.issuer.sign(work.session, draft) for draft in drafts]
    work.lock()
    session = Session(
        id=session_id,
        user_id=user_id,
        acr=acr,
        amr=amr,
        auth_time=now,
        address="127.0.0.1",
        created_at=now,
        expires_at=now + _SESSION_SECONDS,
    )
    people.add_session(work.session, session)
    for token in minted:
        wired.issuer.register(work, token)
    return {"access_token": minted[0].token, "id_token": minted[1].token}


def _proof(user: User) -> tuple[str, list[str]]:
    """Return how somebody is signed in: who may break the glass by passkey, everybody else by password and code."""
    return (_PASSKEY_ACR, _PASSKEY_AMR) if _BREAK_GLASS in user.groups else (_ACR, _AMR)


def _drafts(wired: Wired, user: User, session_id: str, now: int, resource_scopes: Iterable[str]) -> tuple[Draft, Draft]:
    acr, amr = _proof(user)
    authenticated = {"auth_time": now, "acr": acr, "amr": amr}
    access = Draft(
        way=BY,
        client_id="backend",
        user_id=user.id,
        sub=user.id,
        audience=(wired.settings.issuer, API),
        scope=tuple(sorted({*entitled(user.roles), *resource_scopes})),
        expires_at=now + TOKEN_SECONDS,
        session_id=session_id,
        extra=authenticated,
    )
    identity = Draft(
        kind=Kind.ID,
        way=BY,
        client_id="backend",
        user_id=user.id,
        sub=user.id,
        audience=("backend",),
        expires_at=now + TOKEN_SECONDS,
        session_id=session_id,
        extra={**authenticated, "sid": session_id},
        alg="RS256",
    )
    return access, identity
