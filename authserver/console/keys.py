"""The keys that sign: what each signs and since when, and their rotation."""

from flask import Blueprint, Response, abort, request, url_for

from authserver.console.answers import go
from authserver.console.api_client import ApiRefusedError
from authserver.console.calls import Call, Json, call, page
from authserver.console.moments import moment_of

_API = "/api/v1/keys"
_DAY = 86_400
_OLD_DAYS = 180
_AUDIT = "audit"
_STATES = {
    "published": ("warn", "Takes over soon"),
    "signing": ("good", "Signs"),
    "retiring": ("", "Checks what it signed"),
    "retired": ("", "Retired"),
    "revoked": ("bad", "Revoked"),
}
_IN_USE = ("published", "signing", "retiring")


def add_keys(blueprint: Blueprint) -> None:
    """Add the pages."""

    @blueprint.get("/keys")
    def keys() -> Response:
        here = call()
        found = _keys(here)
        return page(
            "keys.html",
            in_use=[key for key in found if key["state"] in _IN_USE],
            over=[key for key in reversed(found) if key["state"] not in _IN_USE],
            states=_STATES,
        )

    @blueprint.get("/keys/rotate")
    def ask_rotate_key() -> Response:
        return _ask(_wanted(call(), request.args.get("kid", "")))

    @blueprint.post("/keys/rotate")
    def rotate_key() -> Response:
        here = call()
        key = _wanted(here, request.form.get("kid", ""))
        body: Json = {"use": key["use"]} if key["use"] == _AUDIT else {"use": key["use"], "alg": key["alg"]}
        if "force" in request.form:
            body |= {"force": True, "remark": request.form.get("remark", "").strip()}
        try:
            made = here.post(f"{_API}/rotate", body)["key"]
        except ApiRefusedError as refusal:
            return _ask(key, refusal)
        soon = made["state"] == "published"
        here.tell(f"The new key {made['kid']} {'is published, and takes over by itself' if soon else 'signs'}.")
        return go(url_for("console.keys"))


def _keys(here: Call) -> list[Json]:
    """Return the keys, with what people want to know of each."""
    found = here.get(_API)["items"]
    waiting = {(key["use"], key["alg"]): key for key in found if key["state"] == "published"}
    return [_described(key, waiting, here.parts.now()) for key in found]


def _described(key: Json, waiting: dict[tuple[str, str], Json], now: int) -> Json:
    signs = moment_of(key["signs_from"])
    days = None if signs is None or signs > now else (now - signs) // _DAY
    successor = waiting.get((key["use"], key["alg"])) if key["state"] == "signing" else None
    return {
        **key,
        "signs": "The audit trail's heads" if key["use"] == _AUDIT else f"Tokens in {key['alg']}",
        "age": "" if days is None else "less than a day" if days < 1 else "1 day" if days == 1 else f"{days} days",
        "old": key["state"] == "signing" and days is not None and days > _OLD_DAYS,
        "successor": successor,
    }


def _wanted(here: Call, kid: str) -> Json:
    """Return the key that is to be rotated: one that signs now."""
    found = next((key for key in _keys(here) if key["kid"] == kid and key["state"] == "signing"), None)
    if found is None:
        abort(404)
    return found


def _ask(key: Json, refusal: ApiRefusedError | None = None) -> Response:
    words, status = ("", 200) if refusal is None else (refusal.words, refusal.status)
    return page("key_rotate.html", status, key=key, remark=request.form.get("remark", ""), alert_words=words)
