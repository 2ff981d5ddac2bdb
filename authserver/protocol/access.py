"""Who may call what: one table (endpoint x credential x role x ownership), default deny (design section 2)."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from authserver.protocol.names import Role

IMPERSONATE = "impersonate"
CONSENT_GRANT = "consent:grant"
IMPERSONATIONS_READ = "impersonations:read"
IMPERSONATIONS_END = "impersonations:end"
IMPERSONATIONS_APPROVE = "impersonations:approve"
AUDIT_READ = "audit:read"
DIRECTORY_READ = "directory:read"
DIRECTORY_WRITE = "directory:write"
KEYS_WRITE = "keys:write"

ROLE_SCOPES: dict[Role, frozenset[str]] = {
    Role.SUPPORT: frozenset({IMPERSONATE, IMPERSONATIONS_READ, IMPERSONATIONS_END}),
    Role.LEAD: frozenset({IMPERSONATE, IMPERSONATIONS_READ, IMPERSONATIONS_END, IMPERSONATIONS_APPROVE}),
    Role.AUDITOR: frozenset({IMPERSONATIONS_READ, AUDIT_READ}),
    Role.ADMIN: frozenset(
        {IMPERSONATIONS_READ, IMPERSONATIONS_END, AUDIT_READ, DIRECTORY_READ, DIRECTORY_WRITE, KEYS_WRITE}
    ),
    Role.CUSTOMER: frozenset({CONSENT_GRANT, IMPERSONATIONS_READ, IMPERSONATIONS_END}),
}
"""The scopes of the issuer itself that each role is entitled to. None of them can ever be delegated."""

OPENID = "openid"
OFFLINE_ACCESS = "offline_access"
OIDC_SCOPES = frozenset({OPENID, "profile", "email", OFFLINE_ACCESS})
"""The scopes of OIDC Core §5.4 and §11: anybody may have them, at the issuer alone."""

SCOPES_OF_ROLES = frozenset[str]().union(*ROLE_SCOPES.values())
"""The issuer's scopes that roles alone entitle to. None comes by a device: who began it would decide as its person."""
ISSUER_SCOPES = OIDC_SCOPES | SCOPES_OF_ROLES
NEVER_PUBLIC = frozenset({DIRECTORY_WRITE, KEYS_WRITE})
"""What no public client may have: whoever takes its name would rule the server with an admin's click."""


def entitled(roles: Iterable[str]) -> frozenset[str]:
    """Return the issuer's scopes that somebody of these roles may have."""
    known = set(Role)
    return frozenset[str]().union(*(ROLE_SCOPES[Role(role)] for role in roles if role in known))


class Credential(StrEnum):
    """What a caller proves themselves by."""

    NONE = "none"
    CLIENT = "client"
    """Client authentication (RFC 6749 §2.3)."""
    PERSON = "person"
    """A person's access token for the issuer, without `act`."""
    IMPERSONATION = "impersonation"
    """A token with `act`: it speaks for its own impersonation alone."""
    BROWSER = "browser"
    """A browser session's cookie; what changes something wants the form's own proof besides."""
    CONFIG_SECRET = "config_secret"
    EMBED_PAGE = "embed_page"
    """The cookie of an embed page, at its own origin: good for one handoff."""


class Relation(StrEnum):
    """What a caller is to the thing that is called for."""

    ANYONE = "anyone"
    ACTOR = "actor"
    SUBJECT = "subject"
    ITSELF = "itself"
    """The impersonation that the token belongs to."""
    OWNER = "owner"
    """Who owns a resource that it names."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table: at `endpoint` this credential, with this scope, role and relation, may call."""

    endpoint: str
    credential: Credential
    scope: str | None = None
    roles: frozenset[Role] | None = None
    relation: Relation = Relation.ANYONE


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who calls, as verified."""

    credential: Credential
    scopes: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()


_STAFF_SEEING_ALL = frozenset({Role.LEAD, Role.ADMIN, Role.AUDITOR})
_ENDING_ANY = frozenset({Role.LEAD, Role.ADMIN})
_DIRECTORY_READS = ("list_users", "read_user", "list_clients", "read_client", "list_resources")
_DIRECTORY_WRITES = (
    *("create_user", "change_user", "disable_user", "enable_user", "reset_user_password", "import_users"),
    *("create_client", "change_client", "create_client_secret", "disable_client", "enable_client"),
    *("register_resource", "change_resource"),
)
_P, _C, _E = Credential.PERSON, Credential.CLIENT, Credential.EMBED_PAGE

TABLE: tuple[Rule, ...] = (
    Rule("oauth.token", _C),
    Rule("oauth.introspect", _C),
    Rule("oauth.revoke", _C),
    Rule("oauth.device_authorization", _C),
    Rule("oauth.jwks", Credential.NONE),
    Rule("oauth.openid_configuration", Credential.NONE),
    Rule("oauth.oauth_metadata", Credential.NONE),
    Rule("oauth.authorize", Credential.NONE),
    Rule("oauth.decide_consent", Credential.BROWSER),
    Rule("oauth.userinfo", _P, OPENID),
    Rule("oauth.logout", Credential.NONE),
    Rule("oauth.confirm_logout", Credential.BROWSER),
    Rule("pages.login", Credential.NONE),
    Rule("pages.prove_password", Credential.NONE),
    Rule("pages.factor", Credential.NONE),
    Rule("pages.prove_factor", Credential.NONE),
    Rule("pages.begin_upstream", Credential.NONE),
    Rule("pages.finish_upstream", Credential.NONE),
    Rule("pages.backchannel_logout", Credential.NONE),
    Rule("pages.logout", Credential.NONE),
    Rule("pages.finish_sign_out", Credential.NONE),
    Rule("pages.sign_out", Credential.BROWSER),
    Rule("pages.account", Credential.BROWSER),
    Rule("pages.signing_in", Credential.BROWSER),
    Rule("pages.account_live", Credential.BROWSER, None, frozenset({Role.CUSTOMER}), Relation.SUBJECT),
    Rule("pages.account_stream", Credential.BROWSER, None, frozenset({Role.CUSTOMER}), Relation.SUBJECT),
    Rule("pages.history", Credential.BROWSER, None, frozenset({Role.CUSTOMER}), Relation.SUBJECT),
    Rule("pages.permissions", Credential.BROWSER, None, frozenset({Role.CUSTOMER}), Relation.SUBJECT),
    Rule("pages.own_impersonation", Credential.BROWSER, None, frozenset({Role.CUSTOMER}), Relation.SUBJECT),
    Rule("pages.end_session", Credential.BROWSER, relation=Relation.SUBJECT),
    Rule("pages.end_other_sessions", Credential.BROWSER),
    Rule("pages.withdraw_application", Credential.BROWSER),
    Rule("pages.enrol_totp", Credential.BROWSER),
    Rule("pages.confirm_totp", Credential.BROWSER),
    Rule("pages.remove_totp", Credential.BROWSER),
    Rule("pages.new_recovery_codes", Credential.BROWSER),
    Rule("pages.passkey_options", Credential.NONE),
    Rule("pages.prove_passkey", Credential.NONE),
    Rule("pages.registration_options", Credential.BROWSER),
    Rule("pages.add_passkey", Credential.BROWSER),
    Rule("pages.remove_passkey", Credential.BROWSER),
    Rule("pages.device", Credential.BROWSER),
    Rule("pages.enter_device_code", Credential.BROWSER),
    Rule("pages.decide_device", Credential.BROWSER),
    Rule("pages.device_done", Credential.NONE),
    Rule("pages.session_token", Credential.BROWSER),
    Rule("pages.session_token_preflight", Credential.NONE),
    Rule("pages.make_support_code", Credential.BROWSER, roles=frozenset({Role.CUSTOMER})),
    Rule("pages.make_support_code", _P, CONSENT_GRANT, frozenset({Role.CUSTOMER})),
    Rule("pages.list_support_codes", Credential.BROWSER, roles=frozenset({Role.CUSTOMER})),
    Rule("pages.list_support_codes", _P, CONSENT_GRANT, frozenset({Role.CUSTOMER})),
    Rule("pages.revoke_support_code", Credential.BROWSER, None, frozenset({Role.CUSTOMER}), Relation.SUBJECT),
    Rule("pages.revoke_support_code", _P, CONSENT_GRANT, frozenset({Role.CUSTOMER}), Relation.SUBJECT),
    Rule("pages.take_support_code_back", Credential.BROWSER, None, frozenset({Role.CUSTOMER}), Relation.SUBJECT),
    Rule("pages.consent_request", Credential.BROWSER, relation=Relation.SUBJECT),
    Rule("pages.answer_request", Credential.BROWSER, None, frozenset({Role.CUSTOMER}), Relation.SUBJECT),
    Rule("pages.end_own_impersonation", Credential.BROWSER, None, frozenset({Role.CUSTOMER}), Relation.SUBJECT),
    Rule("pages.grant_standing_consent", Credential.BROWSER, None, frozenset({Role.CUSTOMER})),
    Rule("pages.withdraw_standing_consent", Credential.BROWSER, None, frozenset({Role.CUSTOMER}), Relation.SUBJECT),
    Rule("pages.interaction", Credential.NONE),
    Rule("pages.notice", Credential.NONE),  # the link itself is the proof
    Rule("pages.object_to_notice", Credential.NONE),
    Rule("pages.static", Credential.NONE),
    Rule("pages.handoff_module", Credential.NONE),
    Rule("api.openapi", Credential.NONE),
    Rule("api.read_me", _P),
    Rule("api.read_options", _P, IMPERSONATE, frozenset({Role.SUPPORT, Role.LEAD})),
    Rule("api.search_customers", _P, IMPERSONATE, frozenset({Role.SUPPORT, Role.LEAD})),
    Rule("api.preview_customer", _P, IMPERSONATE, frozenset({Role.SUPPORT, Role.LEAD})),
    Rule("api.start_impersonation", _P, IMPERSONATE, frozenset({Role.SUPPORT, Role.LEAD})),
    Rule("api.list_impersonations", _P, IMPERSONATIONS_READ),
    Rule("api.read_impersonation", _P, IMPERSONATIONS_READ, _STAFF_SEEING_ALL),
    Rule("api.read_impersonation", _P, IMPERSONATIONS_READ, None, Relation.ACTOR),
    Rule("api.read_impersonation", _P, IMPERSONATIONS_READ, None, Relation.SUBJECT),
    Rule("api.stream_impersonation", _P, IMPERSONATIONS_READ, _STAFF_SEEING_ALL),
    Rule("api.stream_impersonation", _P, IMPERSONATIONS_READ, None, Relation.ACTOR),
    Rule("api.stream_impersonation", _P, IMPERSONATIONS_READ, None, Relation.SUBJECT),
    Rule("api.stream_impersonations", _P, IMPERSONATIONS_READ),
    Rule("api.decide_approval", _P, IMPERSONATIONS_APPROVE, frozenset({Role.LEAD})),
    Rule("api.decide_consent", _P, CONSENT_GRANT, frozenset({Role.CUSTOMER}), Relation.SUBJECT),
    Rule("api.enter_consent_code", _P, IMPERSONATE, frozenset({Role.SUPPORT, Role.LEAD}), Relation.ACTOR),
    Rule("api.end_impersonations", _P, IMPERSONATIONS_END, _ENDING_ANY),
    Rule("api.end_impersonation", _P, IMPERSONATIONS_END, _ENDING_ANY),
    Rule("api.end_impersonation", _P, IMPERSONATIONS_END, None, Relation.ACTOR),
    Rule("api.end_impersonation", _P, IMPERSONATIONS_END, None, Relation.SUBJECT),
    Rule("api.end_impersonation", Credential.IMPERSONATION, None, None, Relation.ITSELF),
    Rule("api.list_actions", _P, IMPERSONATIONS_READ, _STAFF_SEEING_ALL),
    Rule("api.list_actions", _P, IMPERSONATIONS_READ, None, Relation.ACTOR),
    Rule("api.list_actions", _P, IMPERSONATIONS_READ, None, Relation.SUBJECT),
    Rule("api.report_actions", Credential.IMPERSONATION, None, None, Relation.ITSELF),
    Rule("api.report_actions", _C, None, None, Relation.OWNER),
    Rule("api.extend_impersonation", _P, IMPERSONATE, frozenset({Role.SUPPORT, Role.LEAD}), Relation.ACTOR),
    Rule("api.file_report", _P, IMPERSONATE, frozenset({Role.SUPPORT, Role.LEAD}), Relation.ACTOR),
    Rule("api.report_device", _P, IMPERSONATE, frozenset({Role.SUPPORT, Role.LEAD}), Relation.ACTOR),
    Rule("api.report_device", Credential.IMPERSONATION, None, None, Relation.ITSELF),
    Rule("api.list_consents", _P, CONSENT_GRANT, frozenset({Role.CUSTOMER})),
    Rule("api.grant_consent", _P, CONSENT_GRANT, frozenset({Role.CUSTOMER})),
    Rule("api.withdraw_consent", _P, CONSENT_GRANT, frozenset({Role.CUSTOMER})),
    Rule("api.list_audit_events", _P, AUDIT_READ, frozenset({Role.AUDITOR, Role.ADMIN})),
    Rule("api.export_audit_events", _P, AUDIT_READ, frozenset({Role.AUDITOR, Role.ADMIN})),
    Rule("api.verify_audit_trail", _P, AUDIT_READ, frozenset({Role.AUDITOR, Role.ADMIN})),
    Rule("api.read_timeline", _P, IMPERSONATIONS_READ, _STAFF_SEEING_ALL),
    Rule("api.read_timeline", _P, IMPERSONATIONS_READ, None, Relation.ACTOR),
    Rule("api.read_timeline", _P, IMPERSONATIONS_READ, None, Relation.SUBJECT),
    Rule("api.read_statistics", _P, AUDIT_READ, frozenset({Role.AUDITOR, Role.ADMIN})),
    Rule("api.read_statistics", _P, IMPERSONATIONS_READ, frozenset({Role.LEAD})),
    *(Rule(f"api.{name}", _P, DIRECTORY_READ, frozenset({Role.ADMIN})) for name in _DIRECTORY_READS),
    *(Rule(f"api.{name}", _P, DIRECTORY_WRITE, frozenset({Role.ADMIN})) for name in _DIRECTORY_WRITES),
    Rule("api.list_apps", _P, DIRECTORY_READ, frozenset({Role.ADMIN})),
    Rule("api.read_app", _P, DIRECTORY_READ, frozenset({Role.ADMIN})),
    Rule("api.create_app", _P, DIRECTORY_WRITE, frozenset({Role.ADMIN})),
    Rule("api.change_app", _P, DIRECTORY_WRITE, frozenset({Role.ADMIN})),
    Rule("api.disable_app", _P, DIRECTORY_WRITE, frozenset({Role.ADMIN})),
    Rule("api.list_issuers", _P, DIRECTORY_READ, frozenset({Role.ADMIN})),
    Rule("api.list_keys", _P, DIRECTORY_READ, frozenset({Role.ADMIN})),
    Rule("api.rotate_keys", _P, KEYS_WRITE, frozenset({Role.ADMIN})),
    Rule("api.read_policy", _P, DIRECTORY_READ, frozenset({Role.ADMIN})),
    Rule("api.try_policy", _P, DIRECTORY_READ, frozenset({Role.ADMIN})),
    Rule("api.read_health", _P, DIRECTORY_READ, frozenset({Role.ADMIN})),
    Rule("appetize.create_handoff", _P, IMPERSONATE, frozenset({Role.SUPPORT, Role.LEAD}), Relation.ACTOR),
    Rule("appetize.handoff_config", _P, IMPERSONATE, frozenset({Role.SUPPORT, Role.LEAD}), Relation.ACTOR),
    Rule("appetize.handoff_config", Credential.CONFIG_SECRET),
    Rule("appetize.handoff_code", _P, IMPERSONATE, frozenset({Role.SUPPORT, Role.LEAD}), Relation.ACTOR),
    Rule("appetize.redeem", Credential.NONE),  # the code itself is the proof
    Rule("appetize.renew", Credential.IMPERSONATION, None, None, Relation.ITSELF),
    Rule("embed.show", Credential.BROWSER, None, None, Relation.ACTOR),  # at the issuer: to get a ticket
    Rule("embed.show", _E, None, None, Relation.ITSELF),
    Rule("embed.open", Credential.NONE),  # the ticket itself is the proof
    Rule("embed.config", _E, None, None, Relation.ITSELF),
    Rule("embed.code", _E, None, None, Relation.ITSELF),
    Rule("embed.events", _E, None, None, Relation.ITSELF),
    Rule("embed.state", _E, None, None, Relation.ITSELF),
    Rule("embed.end", _E, None, None, Relation.ITSELF),
    Rule("ops.healthz", Credential.NONE),
    Rule("ops.readyz", Credential.NONE),
    Rule("ops.metrics", Credential.NONE),
)


def has_line(endpoint: str, credential: Credential) -> bool:
    """Tell whether anybody at all may call `endpoint` by this kind of credential."""
    return any(rule.endpoint == endpoint and rule.credential is credential for rule in TABLE)


def may_call(endpoint: str, caller: Caller, relations: Iterable[Relation] = ()) -> bool:
    """Tell whether a line of the table lets `caller`, who is in these relations to the thing, call `endpoint`."""
    held = {Relation.ANYONE, *relations}
    return any(
        rule.endpoint == endpoint
        and rule.credential == caller.credential
        and (rule.scope is None or rule.scope in caller.scopes)
        and (rule.roles is None or bool(rule.roles & caller.roles))
        and rule.relation in held
        for rule in TABLE
    )
