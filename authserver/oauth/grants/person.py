"""What the grants share that give a client a person's tokens: the tokens, and their family."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn

from authserver.protocol.access import OPENID, SCOPES_OF_ROLES
from authserver.protocol.names import GRANT_REFRESH_TOKEN, Kind, is_device_family
from authserver.protocol.refusals import InvalidGrant, InvalidScope
from authserver.protocol.scopes import join_scope
from authserver.storage import authorizations, people
from authserver.storage.tables import RefreshToken, Session, User
from authserver.tokens.issuer import Draft, Minted
from authserver.tokens.secret_hashes import SecretKind
from authserver.tokens.targets import Target, available, narrow

if TYPE_CHECKING:
    from authserver.oauth.grants.base import Grant

_REFRESH_SECONDS = 30 * 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorized:
    """What a person authorized: by a code, a device or a refresh token."""

    way: str
    family_id: str
    user_id: str
    session_id: str
    target: Target
    nonce: str | None = None


def redeem(grant: "Grant", authorized: Authorized, use: Callable[[], bool], *, reason: str) -> dict[str, Any]:
    """Sign, `use` up the code that stands for it, and hand out; who is not the first ends the family, for `reason`."""
    narrowed = narrow(authorized.target, grant.named_resources, None)
    minted = sign_tokens(grant, replace(authorized, target=narrowed))
    grant.work.lock()
    if not use():
        refuse_replay(grant, authorized.family_id, reason)
    return hand_out(grant, authorized, minted)


def refuse_replay(grant: "Grant", family_id: str, reason: str) -> NoReturn:
    """Revoke all that came of a code that is used again (RFC 6749 §4.1.2, RFC 9700 §4.5), and refuse."""
    grant.work.lock()
    authorizations.end_family(grant.work.session, family_id, now=grant.parts.clock.now())
    raise InvalidGrant(reason)


def sign_tokens(grant: "Grant", authorized: Authorized) -> list[Minted]:
    """Sign the access token and, with `openid`, the ID token; person and session are checked again."""
    session, now = grant.work.session, grant.parts.clock.now()
    user, behind = living(grant, authorized.user_id, authorized.session_id)
    client = grant.registered_client
    allowed = client.scopes
    if not client.first_party:
        allowed &= authorizations.granted(session, user.id, client.client_id)
    if is_device_family(authorized.family_id):
        allowed -= SCOPES_OF_ROLES
    had = available(session, user.id, authorized.target)
    scopes = tuple(scope.name for scope in had if scope.name in allowed)
    if not scopes:
        raise InvalidScope("scope.nothing_left")
    sub, extra = grant.parts.minting.profile(session, authorized.target.resources, user)
    authenticated = {"auth_time": behind.auth_time, "acr": behind.acr, "amr": list(behind.amr)}
    access = Draft(
        way=authorized.way,
        client_id=client.client_id,
        user_id=user.id,
        sub=sub,
        audience=authorized.target.resources,
        scope=scopes,
        expires_at=min(now + grant.parts.settings.tokens.access_token_seconds, behind.expires_at),
        session_id=behind.id,
        family_id=authorized.family_id,
        extra={**extra, **authenticated},
    )
    minted = [grant.parts.issuer.sign(session, access)]
    if OPENID in scopes:
        minted.append(grant.parts.issuer.sign(session, _id_token(grant, authorized, user, behind, minted[0])))
    return minted


def _id_token(grant: "Grant", authorized: Authorized, user: User, behind: Session, access: Minted) -> Draft:
    client, now = grant.registered_client, grant.parts.clock.now()
    digest = hashlib.sha256(access.token.encode("ascii")).digest()[:16]
    extra: dict[str, Any] = {
        "auth_time": behind.auth_time,
        "acr": behind.acr,
        "amr": list(behind.amr),
        "sid": behind.id,
        "azp": client.client_id,
    }
    if client.id_token_alg != "EdDSA":
        extra["at_hash"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    if authorized.nonce is not None:
        extra["nonce"] = authorized.nonce
    return Draft(
        kind=Kind.ID,
        way=authorized.way,
        client_id=client.client_id,
        user_id=user.id,
        sub=user.id,
        audience=(client.client_id,),
        expires_at=min(now + grant.parts.settings.tokens.access_token_seconds, behind.expires_at),
        session_id=behind.id,
        family_id=authorized.family_id,
        extra=extra,
        alg=client.id_token_alg,
    )


def living(grant: "Grant", user_id: str, session_id: str) -> tuple[User, Session]:
    """Return a person and their session, or raise InvalidGrant when either is no longer good."""
    user = people.find(grant.work.session, user_id)
    behind = people.find_session(grant.work.session, session_id)
    now = grant.parts.clock.now()
    if user is None or not user.enabled or behind is None or behind.ended_at is not None or now >= behind.expires_at:
        raise InvalidGrant("person.not_signed_in_any_more")
    return user, behind


def hand_out(grant: "Grant", authorized: Authorized, minted: list[Minted]) -> dict[str, Any]:
    """Register the tokens, add a refresh token where the client uses them, and return the response's body."""
    access = minted[0]
    for token in minted:
        grant.parts.issuer.register(grant.work, token)
    body: dict[str, Any] = {
        "access_token": access.token,
        "token_type": "Bearer",
        "expires_in": access.expires_in,
        "scope": join_scope(access.draft.scope),
    }
    if len(minted) > 1:
        body["id_token"] = minted[1].token
    if GRANT_REFRESH_TOKEN in grant.registered_client.grant_types:
        body["refresh_token"] = _refresh_token(grant, authorized, access)
    return body


def _refresh_token(grant: "Grant", authorized: Authorized, access: Minted) -> str:
    value, now = grant.parts.entropy.token(), grant.parts.clock.now()
    row = RefreshToken(
        token_hash=grant.parts.hasher.hash(SecretKind.REFRESH, value),
        family_id=authorized.family_id,
        client_id=access.draft.client_id,
        user_id=authorized.user_id,
        session_id=authorized.session_id,
        scopes=[scope.name for scope in authorized.target.asked],
        resources=list(authorized.target.resources),
        created_at=now,
        expires_at=now + _REFRESH_SECONDS,
    )
    authorizations.add_refresh_token(grant.work.session, row)
    return value
