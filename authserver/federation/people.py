"""Who a trusted issuer's person is here: linked, created or nobody, by rule and default deny; populations never mix."""

from authserver.audit.chain import Trail
from authserver.audit.events.changes import UserChanged
from authserver.audit.events.sign_in import IdentityLinked
from authserver.clock import Clock
from authserver.entropy import Entropy
from authserver.federation.foreign import ForeignToken
from authserver.federation.refusals import NobodyHereError
from authserver.protocol.names import USER_ID_PREFIX, Population, Role
from authserver.settings_federation import Federation, RoleRule, TrustedIssuer
from authserver.storage import DbSession, federation, people
from authserver.storage.database import Work
from authserver.storage.tables import User


class FederatedPeople:
    """Finds, links and creates the people of trusted issuers."""

    def __init__(self, settings: Federation, trail: Trail, clock: Clock, entropy: Entropy) -> None:
        """Map by the rules of each issuer."""
        self._settings = settings
        self._trail = trail
        self._clock = clock
        self._entropy = entropy

    def known(self, session: DbSession, token: ForeignToken) -> User | None:
        """Return who is known already, when nothing has to be written: `resolve` says the rest."""
        link = federation.link(session, token.issuer, token.sub)
        if link is None or link.seen_at < token.issued_at:
            return None
        return self._checked(people.find(session, link.user_id), token)

    def resolve(self, work: Work, token: ForeignToken) -> User:
        """Return who a token's person is here, linked or created where that is allowed; locks. Raises NobodyHereError.

        Roles follow the newest token: one that was issued before it changes nothing.
        """
        work.lock()
        session = work.session
        link = federation.link(session, token.issuer, token.sub)
        if link is None:
            user_id = self._provision(work, token)
            return self._checked(people.find(session, user_id, hold=True), token)
        user = self._checked(people.find(session, link.user_id, hold=True), token)
        role = self._role(token)
        if role is not None and user.roles != [role] and link.seen_at < token.issued_at:
            people.change(session, user.id, roles=[role])
            self._changed(work, user.id, "roles_changed", token, {"roles": [role]})
        federation.saw(session, token.issuer, token.sub, seen_at=token.issued_at)
        return self._checked(people.find(session, user.id, hold=True), token)

    def _checked(self, user: User | None, token: ForeignToken) -> User:
        """Refuse the wrong population, the disabled, and who has no role."""
        if user is None or user.population != token.population:
            raise NobodyHereError("person.population")
        if not user.enabled:
            raise NobodyHereError("person.disabled")
        self._role(token)
        if not user.roles:
            raise NobodyHereError("person.no_role")
        return user

    def _role(self, token: ForeignToken) -> Role | None:
        """Return the role that the first fitting rule gives; None where no rules are set, and roles are kept here."""
        issuer = self._issuer(token)
        if token.population is Population.CUSTOMERS or not issuer.roles:
            return None
        for rule in issuer.roles:
            if _fits(rule, token):
                return Role(rule.role)
        raise NobodyHereError("person.no_role")

    def _provision(self, work: Work, token: ForeignToken) -> str:
        """Link or create, by a verified e-mail address alone."""
        issuer = self._issuer(token)
        role = self._role(token)
        if issuer.provision == "never":
            raise NobodyHereError("person.not_linked")
        email = _verified_email(issuer, token)
        found = federation.by_email(work.session, email, token.population)
        if len(found) > 1:
            raise NobodyHereError("person.email_of_several")
        if found:
            return self._link(work, token, found[0], role)
        if issuer.provision != "create":
            raise NobodyHereError("person.not_linked")
        return self._create(work, token, email, role or Role.CUSTOMER)

    def _link(self, work: Work, token: ForeignToken, user_id: str, role: Role | None) -> str:
        user = people.find(work.session, user_id, hold=True)
        if user is None or not user.enabled:
            raise NobodyHereError("person.disabled")
        if federation.is_linked(work.session, token.issuer, user.id):
            raise NobodyHereError("person.linked_to_another_subject")
        self._add_link(work, token, user_id, "linked")
        people.change(work.session, user_id, email_verified=True)
        if role is not None and user.roles != [role]:
            people.change(work.session, user_id, roles=[role])
            self._changed(work, user_id, "roles_changed", token, {"roles": [role]})
        return user_id

    def _create(self, work: Work, token: ForeignToken, email: str, role: Role) -> str:
        names, user_id = self._issuer(token).claims, self._entropy.identifier(USER_ID_PREFIX)
        username = token.text(names.username) or email
        values = {
            "id": user_id,
            "username": username,
            "email": email,
            "email_verified": True,
            "name": token.text(names.name) or username,
            "population": token.population,
            "tier": "",
            "country": "",
            "roles": [role],
            "groups": [],
            "conflicts": [],
            "enabled": True,
            "created_at": self._clock.now(),
        }
        if not federation.add_user(work.session, values):
            link = federation.link(work.session, token.issuer, token.sub)
            if link is None:
                raise NobodyHereError("person.username_taken")
            return link.user_id
        self._changed(work, user_id, "created", token, {"roles": [role]})
        self._add_link(work, token, user_id, "created")
        return user_id

    def _add_link(self, work: Work, token: ForeignToken, user_id: str, how: str) -> None:
        now = self._clock.now()
        if not federation.add_link(work.session, token.issuer, token.sub, user_id, now=now, seen_at=token.issued_at):
            work.rollback()
            raise NobodyHereError("person.linked_meanwhile")
        self._trail.record(work, IdentityLinked(user_id=user_id, issuer=token.issuer, sub=token.sub, how=how))

    def _changed(
        self, work: Work, user_id: str, action: str, token: ForeignToken, changes: dict[str, list[Role]]
    ) -> None:
        by = f"issuer:{token.name}"
        self._trail.record(work, UserChanged(user_id=user_id, action=action, by=by, changes=changes))

    def _issuer(self, token: ForeignToken) -> TrustedIssuer:
        return self._settings.issuers[token.name]


def _fits(rule: RoleRule, token: ForeignToken) -> bool:
    value = token.claim(rule.claim)
    if rule.contains is not None:
        return isinstance(value, list) and rule.contains in value
    return type(value) is type(rule.equals) and value == rule.equals


def _verified_email(issuer: TrustedIssuer, token: ForeignToken) -> str:
    """Return the e-mail address that the issuer says it verified (OIDC Core §5.1)."""
    email = token.text(issuer.claims.email)
    verified = token.claims.get("email_verified", issuer.emails_are_verified)
    if not email or "@" not in email or not (verified is True or verified == "true"):
        raise NobodyHereError("person.email_not_verified")
    return email
