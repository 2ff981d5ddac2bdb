"""`/api/v1/keys`: the keys that sign, and their rotation (RFC 7517, RFC 9068 §4)."""

from collections.abc import Mapping
from typing import Any

from flask_openapi.blueprint import APIBlueprint

from authserver.api.call import Call, call
from authserver.api.schemas import problems
from authserver.api.schemas_configuration import KeyOut, KeysOut, RotatedOut, RotateKeysBody
from authserver.api.shapes import instant, moment
from authserver.audit.events.changes import KeyChanged
from authserver.protocol.refusals import Conflict, InvalidRequest
from authserver.storage.keys import StoredKey
from authserver.tokens.key_files import KeyFileError
from authserver.tokens.keyring import AUDIT_ALG, KeyStatus, RotatedLatelyError, Rotation, SuccessorWaitsError

Answer = tuple[dict[str, Any], int]
_LATELY = "This key was rotated lately. Wait, or force it with a remark if the key may be compromised."
_JUST_NOW = "This key was rotated less than a minute ago."
_FORCED_SECONDS = 60
"""Not even by force twice within this: each old key stays published while what it signed may be valid."""


def add_keys(blueprint: APIBlueprint) -> None:
    """Add the operations."""

    @blueprint.get("/keys", responses={200: KeysOut})
    def list_keys() -> Answer:
        """List every key that there ever was; no private part is ever shown."""
        present = _allowed()
        items = [_out(status) for status in present.parts.configuration.keyring.status(present.work.session)]
        return KeysOut(items=items).model_dump(mode="json"), 200

    @blueprint.post("/keys/rotate", responses={201: RotatedOut, **problems(409)})
    def rotate_keys(body: RotateKeysBody) -> Answer:
        """Publish a new key, which takes over once validators have had time to fetch it."""
        present = _allowed()
        rotation = _rotate(present, body)
        key, old = rotation.key, rotation.predecessor
        remark = body.remark if body.force else None
        _record(present, key, "published", {"signs_from": key.signs_from, "forced": body.force}, remark)
        if old is not None:
            _record(present, old, "retired", {"retires_at": old.retires_at, "successor": key.kid})
        shown = {
            status.key.kid: _out(status) for status in present.parts.configuration.keyring.status(present.work.session)
        }
        answer = RotatedOut(key=shown[key.kid], predecessor=None if old is None else shown[old.kid])
        return answer.model_dump(mode="json"), 201


def _rotate(present: Call, body: RotateKeysBody) -> Rotation:
    keyring, keys = present.parts.configuration.keyring, present.parts.settings.keys
    if body.use == "audit" and body.alg is not None:
        raise InvalidRequest("keys.audit_alg", "The audit key has one algorithm; leave alg out.")
    if body.force != (body.remark is not None):
        raise InvalidRequest("keys.remark", "force and remark go together: say why it cannot wait.")
    min_age = min(_FORCED_SECONDS, keys.rotation_seconds) if body.force else keys.rotation_seconds
    try:
        if body.use == "audit":
            return keyring.rotate(present.work, AUDIT_ALG, 0, use="audit", min_age=min_age)
        return keyring.rotate(present.work, body.alg or keys.access_token_alg, keys.publish_seconds, min_age=min_age)
    except SuccessorWaitsError as error:
        words = "A successor is published already and has not taken over yet; rotate after that."
        raise Conflict("keys.successor_waits", words) from error
    except RotatedLatelyError as error:
        raise Conflict("keys.rotated_lately", _JUST_NOW if body.force else _LATELY) from error
    except (KeyFileError, OSError) as error:
        raise Conflict("keys.folder", "The new key could not be written to the folder of keys.") from error


def _record(present: Call, key: StoredKey, action: str, details: Mapping[str, Any], remark: str | None = None) -> None:
    by = present.caller.user_id
    event = KeyChanged(kid=key.kid, use=key.use, alg=key.alg, action=action, by=by, details=details, remark=remark)
    present.parts.trail.record(present.work, event)


def _out(status: KeyStatus) -> KeyOut:
    key = status.key
    return KeyOut(
        kid=key.kid,
        use=key.use,
        alg=key.alg,
        state=status.phase,
        created_at=moment(key.created_at),
        signs_from=moment(key.signs_from),
        retires_at=instant(key.retires_at),
        revoked_at=instant(key.revoked_at),
        demo=key.demo,
        problem=status.problem,
    )


def _allowed() -> Call:
    present = call()
    present.caller.demand(present.trace.endpoint)
    return present
