"""`/api/v1/health`: what an admin would want to know before it hurts, each thing in a sentence."""

import shutil
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from flask_openapi.blueprint import APIBlueprint

from authserver.api.call import Call, call
from authserver.api.policy import on_disk
from authserver.api.schemas_configuration import CheckOut, HealthOut
from authserver.api.shapes import moment
from authserver.audit.chain import CHAIN
from authserver.storage import health, schema
from authserver.tokens.keyring import ALWAYS, AUDIT_ALG

Status = Literal["ok", "warn", "fail"]

_LATE_JOBS_SECONDS = 30
_LATE_SECONDS, _FAR_TOO_LATE_SECONDS = 60, 600
_DAY_SECONDS = 86_400
_OLD_KEY_DAYS = 180
_HEADS_LATE, _HEADS_FAIL = 3, 10
"""After how many times `audit.head_seconds` an event without a signed head is late, and far too late."""
_GIB = 2**30
_FULL, _NEARLY_FULL = 0.2 * _GIB, _GIB


def add_health(blueprint: APIBlueprint) -> None:
    """Add the operation."""

    @blueprint.get("/health", responses={200: HealthOut})
    def read_health() -> tuple[dict[str, Any], int]:
        """Say how the server is: ok, warn or fail, with words. It is 200 whatever it says."""
        present = call()
        present.caller.demand(present.trace.endpoint)
        checks = list(_checks(present))
        shown = HealthOut(status=_worst(checks), at=moment(present.parts.clock.now()), checks=checks)
        return shown.model_dump(mode="json"), 200


def _checks(present: Call) -> Iterator[CheckOut]:
    yield _database(present)
    yield _jobs(present)
    yield _outbox(present)
    yield _keys(present)
    yield _policy(present)
    yield _heads(present)
    yield _disk(present)
    yield _issuers(present)


def _worst(checks: Sequence[CheckOut]) -> Status:
    found = {check.status for check in checks}
    return "fail" if "fail" in found else "warn" if "warn" in found else "ok"


def _check(name: str, status: Status, words: str, **details: Any) -> CheckOut:  # noqa: ANN401 - JSON
    return CheckOut(name=name, status=status, words=words, details=details)


def _database(present: Call) -> CheckOut:
    there, needed = schema.present(present.work.session), schema.needed()
    kind = present.parts.settings.database.url.partition(":")[0].partition("+")[0]
    if there != needed:
        words = "The database answers, and has another schema than this release needs: run authserver db upgrade."
        return _check("database", "fail", words, kind=kind, schema=there, needed=needed)
    return _check("database", "ok", "The database answers, and has the schema that is needed.", kind=kind, schema=there)


def _jobs(present: Call) -> CheckOut:
    done_at = present.parts.configuration.jobs_done_at()
    if done_at is None:
        return _check("jobs", "warn", "This process has not done its jobs yet.", done_at=None)
    late = present.parts.clock.now() - done_at
    if late > _LATE_JOBS_SECONDS:
        words = f"This process did its jobs {late} s ago; they should run every second. Look at its log."
        return _check("jobs", "fail", words, done_at=moment(done_at))
    return _check("jobs", "ok", "The jobs of this process run.", done_at=moment(done_at))


def _outbox(present: Call) -> CheckOut:
    now = present.parts.clock.now()
    found = health.backlog(present.work.session, given_up_since=now - _DAY_SECONDS)
    late = 0 if found.due_since is None else max(0, now - found.due_since)
    details = {"waiting": found.waiting, "late_seconds": late, "given_up_last_day": found.given_up}
    if not present.parts.settings.notification.channels:
        return _check("outbox", "warn", "No channel is configured, so nobody is told anything.", **details)
    if late > _FAR_TOO_LATE_SECONDS:
        return _check("outbox", "fail", f"Messages wait, the first for {late} s: nothing is delivered.", **details)
    if late > _LATE_SECONDS:
        return _check("outbox", "warn", f"Messages wait, the first for {late} s.", **details)
    if found.given_up:
        return _check("outbox", "warn", f"{found.given_up} messages of the last day were given up.", **details)
    return _check("outbox", "ok", "Messages are delivered as they come.", **details)


def _keys(present: Call) -> CheckOut:
    now = present.parts.clock.now()
    statuses = present.parts.configuration.keyring.status(present.work.session)
    signing = [status.key for status in statuses if status.phase == "signing"]
    ages = {f"{key.use} {key.alg}": (now - key.signs_from) // _DAY_SECONDS for key in signing}
    wanted = {f"sig {alg}" for alg in (*ALWAYS, present.parts.settings.keys.access_token_alg)} | {f"audit {AUDIT_ALG}"}
    broken, missing = sum(status.problem is not None for status in statuses), sorted(wanted - ages.keys())
    old = sorted(name for name, days in ages.items() if days > _OLD_KEY_DAYS)
    details = {"age_days": ages, "missing": missing, "old": old}
    if broken or missing:
        words = f"{broken} keys cannot be used on this machine, {len(missing)} are missing."
        return _check("keys", "fail", words, **details)
    if old:
        return _check("keys", "warn", f"{', '.join(old)}: older than {_OLD_KEY_DAYS} days; rotate.", **details)
    return _check("keys", "ok", "Every key that is needed signs.", **details)


def _policy(present: Call) -> CheckOut:
    settings, policy = present.parts.settings.policy, present.parts.configuration.judge.policy
    there = on_disk(settings, policy)
    details = {"digest": policy.digest, "policies": len(policy.rules), "on_disk": there.state}
    if there.state == "broken":
        words = "The policy folder is broken: the set before stays in force, and a restart would fail."
        return _check("policy", "fail", words, **details, problem=there.problem)
    if there.state == "changed":
        words = "The policy folder has changed, and what is in force is the set before."
        return _check("policy", "warn", words, **details)
    return _check("policy", "ok", "What is in force is what the folder says.", **details)


def _heads(present: Call) -> CheckOut:
    settings, now_ms = present.parts.settings.audit, present.parts.clock.now_ms()
    since_ms = health.unsigned_since_ms(present.work.session, CHAIN)
    late = 0 if since_ms is None else max(0, (now_ms - since_ms) // 1000)
    details = {"unsigned_seconds": late, "anchor_file": settings.anchor_file.exists()}
    if late > _HEADS_FAIL * settings.head_seconds:
        return _check("heads", "fail", f"Events of {late} s have no signed head: the trail is not sealed.", **details)
    if late > _HEADS_LATE * settings.head_seconds:
        return _check("heads", "warn", f"Events of {late} s have no signed head yet.", **details)
    if not settings.anchor_file.exists():
        words = "The file of signed heads is not there: nothing outside the database proves the trail."
        return _check("heads", "warn", words, **details)
    return _check("heads", "ok", "The trail's heads are signed, in the database and outside it.", **details)


def _disk(present: Call) -> CheckOut:
    folder = present.parts.settings.audit.anchor_file.absolute().parent
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return _check("disk", "fail", "The folder of the signed heads cannot be looked at.", free_bytes=None)
    words = f"{free / _GIB:.1f} GiB are free where the signed heads are written."
    return _check("disk", "fail" if free < _FULL else "warn" if free < _NEARLY_FULL else "ok", words, free_bytes=free)


def _issuers(present: Call) -> CheckOut:
    known = present.parts.configuration.trusted.all()
    failing = [each.name for each in known if each.metadata.kept().failure or each.keys.kept().failure]
    if failing:
        words = f"The last fetch failed for {', '.join(failing)}."
        return _check("issuers", "warn", words, failing=failing)
    words = "No fetch from a trusted issuer failed." if known else "No other issuer is trusted."
    return _check("issuers", "ok", words, failing=[])
