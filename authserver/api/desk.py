"""`/api/v1/me`, `/customers` and `/impersonations/options`: what an agent needs to know before they ask."""

from typing import Any

from flask_openapi.blueprint import APIBlueprint

from authserver.accounts.throttle import Guess
from authserver.api import offers, shapes
from authserver.api.call import Call, call
from authserver.api.schemas import problems
from authserver.api.schemas_desk import (
    CustomerOut,
    CustomerPath,
    CustomersOut,
    MeOut,
    OptionsOut,
    OptionsQuery,
    OutcomeOut,
    PreviewOut,
    PreviewQuery,
    SearchQuery,
)
from authserver.audit.events.readings import CustomersSearched
from authserver.protocol.names import Mode, State, is_user_id
from authserver.protocol.refusals import InvalidToken
from authserver.storage import impersonations, people
from authserver.storage.tables import User

Answer = tuple[dict[str, Any], int]
_MINUTE = 60


def add_desk(blueprint: APIBlueprint) -> None:
    """Add the operations."""

    @blueprint.get("/me", responses={200: MeOut})
    def read_me() -> Answer:
        """Read who one is, with which roles and scopes, and how one signed in."""
        present = call()
        present.caller.demand(present.trace.endpoint)
        return _me(present).model_dump(mode="json"), 200

    @blueprint.get("/impersonations/options", responses={200: OptionsOut})
    def read_options(query: OptionsQuery) -> Answer:
        """Read what a start may say: reasons, modes, lengths, resources and apps."""
        present = call()
        present.caller.demand(present.trace.endpoint)
        return offers.options(present, query.client_id).model_dump(mode="json"), 200

    @blueprint.get("/customers", responses={200: CustomersOut, **problems(429)})
    def search_customers(query: SearchQuery) -> Answer:
        """Look for customers whom the caller could open, by name, e-mail address, user name or id."""
        present = call()
        present.caller.demand(present.trace.endpoint)
        return _search(present, query).model_dump(mode="json"), 200

    @blueprint.get("/customers/<string:id>", responses={200: PreviewOut})
    def preview_customer(path: CustomerPath, query: PreviewQuery) -> Answer:
        """Read what asking to act as a customer would come to; it counts as a customer tried, and starts nothing."""
        present = call()
        present.caller.demand(present.trace.endpoint)
        return _preview(present, path.id, query).model_dump(mode="json"), 200


def _me(present: Call) -> MeOut:
    bearer = present.caller
    user = people.find(present.work.session, bearer.user_id)
    authentication = bearer.token.authentication
    if user is None or authentication is None:
        raise InvalidToken("token.not_a_person")
    return MeOut(
        id=user.id,
        name=user.name,
        username=user.username,
        email=user.email,
        population=user.population,
        roles=sorted(bearer.roles),
        scopes=sorted(bearer.caller.scopes),
        acr=authentication.acr,
        auth_time=shapes.moment(authentication.auth_time),
    )


def _search(present: Call, query: SearchQuery) -> CustomersOut:
    ask = offers.ask(present, None)
    found = present.parts.desk.search(present.work.session, ask, query.q.strip(), limit=query.limit)
    shown = [customer(user) for user in found]
    present.work.lock()
    _throttle(present)
    event = CustomersSearched(
        actor=ask.actor.user_id,
        client_id=present.caller.token.client_id,
        query=query.q,
        count=len(shown),
        found=tuple(each.id for each in shown),
    )
    present.parts.trail.record(present.work, event)
    return CustomersOut(items=shown)


def _throttle(present: Call) -> None:
    """Count a search within its minute."""
    free = present.parts.settings.impersonation.searches_per_minute
    minute = present.parts.clock.now() // _MINUTE
    account = f"{present.caller.user_id}/{minute}"
    present.parts.throttle.claim_by(present.work, Guess.CUSTOMER, account, free=free, forget=_MINUTE)


def _preview(present: Call, subject_id: str, query: PreviewQuery) -> PreviewOut:
    session, desk = present.work.session, present.parts.desk
    present.trace.way = "api"
    present.trace.target = subject_id if is_user_id(subject_id) else None
    ask = offers.ask(present, query, subject_id=subject_id)
    modes = [query.mode] if query.mode else (desk.abilities(session, ask).modes or [Mode.READ_ONLY])
    user, outcomes = desk.preview(present.work, ask, modes)
    now = present.parts.clock.now()
    between = [
        each for each in impersonations.open_between(session, ask.actor.user_id, user.id) if not each.overdue(now)
    ]
    between.sort(key=lambda record: (record.state is State.ACTIVE, record.created_ms), reverse=True)
    return PreviewOut(
        customer=customer(user),
        outcomes=[OutcomeOut.model_validate(each, from_attributes=True) for each in outcomes],
        open=present.shape(between[0]) if between else None,
    )


def customer(user: User) -> CustomerOut:
    """Show a customer to an agent."""
    return CustomerOut(
        id=user.id,
        name=user.name,
        username=shapes.masked(user.username) or user.username,
        email_hint=shapes.masked(user.email),
        tier=user.tier,
        country=user.country,
    )
