"""The shapes of what an admin looks at: trusted issuers, keys, the policy, health."""

from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictInt, StringConstraints

from authserver.api.schemas import In, Out, Short

Word = Annotated[str, StringConstraints(max_length=512, pattern=r"^[^\x00]*$")]
Few = Annotated[list[Word], Field(max_length=100)]
Number = Annotated[StrictInt, Field(ge=-(2**53) + 1, le=2**53 - 1)]


class CacheOut(Out):
    """What the answering process has of an issuer's document: `none`, `fresh`, `stale` or `expired`.

    `failure` is the private name of why the last fetch failed, null where it did not.
    """

    state: Literal["none", "fresh", "stale", "expired"]
    fetched_at: str | None
    tried_at: str | None
    failure: str | None


class IssuerKeyOut(Out):
    """A public key that an issuer publishes."""

    kid: str | None
    alg: str | None
    kind: str


class PresenterOut(Out):
    """A client of ours that may present an issuer's tokens."""

    client_id: str
    types: list[str]


class IssuerOut(Out):
    """A trusted issuer, from the configuration files, and what is cached of it. No secret is ever shown."""

    name: str
    issuer: str
    label: str
    population: str
    provision: str
    sign_in: bool
    algorithms: list[str]
    audiences: list[str]
    presenters: list[PresenterOut]
    discovery: CacheOut
    jwks: CacheOut
    keys: list[IssuerKeyOut]


class IssuersOut(Out):
    """All trusted issuers."""

    items: list[IssuerOut]


class KeyOut(Out):
    """A signing key's public side. `state`: published, signing, retiring, retired or revoked."""

    kid: str
    use: str
    alg: str
    state: str
    created_at: str
    signs_from: str
    retires_at: str | None
    revoked_at: str | None
    demo: bool
    problem: str | None = None


class KeysOut(Out):
    """Every key that there ever was, the eldest first."""

    items: list[KeyOut]


class RotateKeysBody(In):
    """Which key: `sig`, of `alg` (by default the one that signs access tokens), or the trail's own (`audit`).

    `force`, with a `remark`, rotates one that was made lately, as when it was compromised.
    """

    use: Literal["sig", "audit"] = "sig"
    alg: Literal["ES256", "RS256", "PS256", "EdDSA"] | None = None
    force: bool = False
    remark: Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00]*\S[^\x00]*$")] | None = (
        None
    )


class RotatedOut(Out):
    """The new key, and the one that it takes over from."""

    key: KeyOut
    predecessor: KeyOut | None


class RuleOut(Out):
    """One policy: its annotations as they stand, and its text."""

    id: str
    effect: str
    outcome: str | None
    annotations: dict[str, str]
    comment: str
    file: str
    line: int
    text: str


class PolicyFileOut(Out):
    """A file of the policy, as it was read."""

    name: str
    text: str
    policies: list[str]


class OnDiskOut(Out):
    """The policy folder as it is now: `same` as what is in force, `changed`, or `broken` and why."""

    state: Literal["same", "changed", "broken"]
    problem: str | None


class PolicyOut(Out):
    """The policy in force in the answering process; `loaded_at` is when that took it up."""

    digest: str
    loaded_at: str
    on_disk: OnDiskOut
    files: list[PolicyFileOut]
    policies: list[RuleOut]


class TriedPerson(In):
    """What a case says otherwise of a person."""

    id: Word = ""
    roles: Few = Field(default_factory=list)
    groups: Few = Field(default_factory=list)
    tier: Word = ""
    country: Word = ""
    population: Word = ""
    enabled: StrictBool = True
    conflicts: Few = Field(default_factory=list)


class TriedClient(In):
    """What a case says otherwise of the client."""

    id: Word = ""
    enabled: StrictBool = True


class TriedFacts(In):
    """What a case says otherwise of the rest."""

    mode: Word = ""
    reason: Word = ""
    reason_code: Word = ""
    reason_code_known: StrictBool = True
    ticket_id: Word = ""
    ticket_valid: StrictBool = True
    client_address: Word = ""
    session_address: Word = ""
    hour: Number = 0
    weekday: Number = 0
    acr: Word = ""
    auth_age: Number = 0
    distinct_customers: Number = 0
    active_impersonations: Number = 0
    lifetime: Number = 0
    resources: Few = Field(default_factory=list)
    scopes: Few = Field(default_factory=list)
    consent: Literal["none", "standing", "given", "support_code"] = "none"
    approval: Literal["none", "given"] = "none"
    break_glass: StrictBool = False
    report_owed: StrictBool = False
    notice: Literal["none", "accepted", "withheld"] = "none"


class TryBody(In):
    """A case, as in `config/policy/cases.toml`: what is not named is as in one where all is in order."""

    name: Short = ""
    expect: Short | None = None
    policies: Few = Field(default_factory=list)
    actor: TriedPerson = TriedPerson()
    target: TriedPerson = TriedPerson()
    client: TriedClient = TriedClient()
    facts: TriedFacts = TriedFacts()

    def tables(self) -> dict[str, Any]:
        """Return the tables of the case, with what was sent and nothing else."""
        return self.model_dump(include={"actor", "target", "client", "facts"}, exclude_unset=True)


class TriedOut(Out):
    """What is decided: `outcome` as a case's `expect`, the deciding policies, and what they say in plain words.

    `met` tells whether it is as the case expects; null where it expects nothing.
    """

    outcome: str
    policies: list[str]
    says: list[str]
    why: list[str]
    also: list[str]
    acr_values: str | None
    max_age: int | None
    in_words: list[str]
    met: bool | None
    policy_set: str


class CheckOut(Out):
    """One thing that was looked at."""

    name: str
    status: Literal["ok", "warn", "fail"]
    words: str
    details: dict[str, Any]


class HealthOut(Out):
    """How the server is, as the answering process sees it: the worst of its checks."""

    status: Literal["ok", "warn", "fail"]
    at: str
    checks: list[CheckOut]
