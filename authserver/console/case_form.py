"""The form of a case for the policy: it begins with all in order, and what is chosen otherwise is what is tried."""

from typing import Any

from authserver.console.app_form import Group
from authserver.console.setting_fields import YES_NO, Field, Json, Values, parsed

_WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_RELATION = "relation"


def _choice(name: str, label: str, default: str, *choices: tuple[str, str], number: bool = False) -> Field:
    return Field(name=name, label=label, kind="choice", choices=choices, default=default, number=number)


def _flag(name: str, label: str, default: str) -> Field:
    return Field(name=name, label=label, kind="choice", choices=YES_NO, default=default)


_LENGTHS = (
    ("300", "5 min"),
    ("900", "15 min"),
    ("1800", "30 min"),
    ("3600", "1 h"),
    ("14400", "4 h"),
    ("86400", "24 h"),
)
_POPULATIONS = (("staff", "Staff"), ("customers", "Customers"))
_ROLES = (("support", "Agent"), ("lead", "Lead"), ("auditor", "Auditor"), ("admin", "Admin"), ("", "None"))
_COUNTRY = "Two letters, such as SE."
_COMMAS = "Parted by commas."
_WHOLE = "A whole number."

CASE_GROUPS = (
    Group(
        "Who asks",
        "",
        (
            _choice("actor.roles", "Role", "support", *_ROLES),
            _choice("actor.population", "They are", "staff", *_POPULATIONS),
            Field(name="actor.country", label="Country", default="SE", hint=_COUNTRY),
            Field(name="actor.groups", label="Groups", kind="words", hint=_COMMAS),
            _flag("actor.enabled", "Enabled", "true"),
            _flag("client.enabled", "Their application is enabled", "true"),
        ),
        always=True,
    ),
    Group(
        "For whom",
        "",
        (
            Field(name="target.tier", label="Tier", default="standard", hint="Such as standard or vip."),
            _choice("target.population", "They are", "customers", *_POPULATIONS),
            Field(name="target.country", label="Country", default="SE", hint=_COUNTRY),
            Field(name="target.groups", label="Groups", kind="words", hint=_COMMAS),
            _flag("target.enabled", "Enabled", "true"),
            _choice(
                _RELATION,
                "Between the two",
                "none",
                ("none", "Nothing"),
                ("conflict", "A conflict of interest is on record"),
                ("self", "They are the same person"),
            ),
        ),
        always=True,
    ),
    Group(
        "What, and why",
        "",
        (
            _choice("facts.mode", "Mode", "read_only", ("read_only", "Look only"), ("full", "Look and act")),
            _choice("facts.lifetime", "For how long", "3600", *_LENGTHS, number=True),
            Field(name="facts.reason_code", label="Reason code", default="customer_initiated_support"),
            _flag("facts.reason_code_known", "The code is on the list", "true"),
            Field(name="facts.reason", label="Reason in words", default="a wrong balance"),
            Field(name="facts.ticket_id", label="Ticket", default="BANK-1"),
            _flag("facts.ticket_valid", "The ticket is valid", "true"),
            _flag("facts.break_glass", "Breaks the glass", "false"),
        ),
        always=True,
    ),
    Group(
        "What is there already",
        "",
        (
            _choice(
                "facts.consent",
                "Consent",
                "standing",
                ("none", "None"),
                ("standing", "Standing"),
                ("given", "Given for this once"),
                ("support_code", "By a support code"),
            ),
            _choice("facts.approval", "Approval", "none", ("none", "None"), ("given", "Given")),
            _choice(
                "facts.notice",
                "Message to the customer",
                "none",
                ("none", "None"),
                ("accepted", "On its way"),
                ("withheld", "Withheld"),
            ),
            Field(
                name="facts.distinct_customers",
                label="Customers in the last hour",
                kind="number",
                default="1",
                hint="This one counts. A whole number.",
            ),
            Field(
                name="facts.active_impersonations",
                label="Impersonations that run",
                kind="number",
                default="0",
                hint=_WHOLE,
            ),
            _flag("facts.report_owed", "A report is owed", "false"),
        ),
        always=True,
    ),
    Group(
        "When, and from where",
        "",
        (
            _choice("facts.weekday", "Day", "3", *((str(n), day) for n, day in enumerate(_WEEK, 1)), number=True),
            Field(name="facts.hour", label="Hour", kind="number", default="10", hint="From 0 to 23."),
            Field(name="facts.client_address", label="Their address", default="127.0.0.1"),
            Field(name="facts.session_address", label="Where they signed in", default="127.0.0.1"),
            _choice(
                "facts.acr",
                "How they signed in",
                "urn:authserver:acr:mfa",
                ("phr", "Passkey"),
                ("urn:authserver:acr:mfa", "Two factors"),
                ("urn:authserver:acr:password", "Password alone"),
                ("0", "Too weak for anything"),
                ("", "Not known"),
            ),
            Field(
                name="facts.auth_age",
                label="Minutes since they signed in",
                kind="number",
                default="1",
                hint=_WHOLE,
                times=60,
            ),
        ),
        always=True,
    ),
)
CASE_FIELDS = tuple(field for group in CASE_GROUPS for field in group.fields)
_AGENT, _CUSTOMER = "agent", "customer"


def body_of(values: Values) -> dict[str, Json]:
    """Return a case as the API takes it: every field, but for numbers that were left empty."""
    body: dict[str, dict[str, Any]] = {"actor": {"id": _AGENT}, "target": {"id": _CUSTOMER}, "client": {}, "facts": {}}
    for field in CASE_FIELDS:
        part, _, name = field.name.partition(".")
        if not name:
            continue
        value = values[field.name]
        found = ([value] if value else []) if name == "roles" else parsed(field, value)
        if found is not None or not (field.kind == "number" or field.number):
            body[part][name] = "" if found is None else found
    if values[_RELATION] == "conflict":
        body["actor"]["conflicts"] = [_CUSTOMER]
    elif values[_RELATION] == "self":
        body["target"] = {**body["actor"], "tier": ""}
    return body
