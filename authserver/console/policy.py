"""The policy in force, readable as prose; and what it decides on a case of one's own."""

from typing import Any

from flask import Blueprint, Response, request
from werkzeug.datastructures import MultiDict

from authserver.console.api_client import ApiRefusedError
from authserver.console.calls import Json, call, page
from authserver.console.case_form import CASE_FIELDS, CASE_GROUPS, body_of
from authserver.console.cedar import highlighted, opening, rule_of
from authserver.console.moments import duration
from authserver.console.setting_fields import problems_by_field, typed

_API = "/api/v1/policy"
_EFFECTS = {
    "permit": ("good", "Allows"),
    "forbid": ("bad", "Refuses"),
    "needs_step_up": ("warn", "Asks for a new sign-in"),
    "needs_approval": ("warn", "Asks for approval"),
    "needs_consent": ("warn", "Asks for consent"),
    "needs_notice": ("warn", "Has the customer told first"),
}
_OUTCOMES = {
    "allow": ("good", "Allowed"),
    "deny": ("bad", "Refused"),
    "invalid_request": ("bad", "Refused: the request lacks something"),
    "needs_step_up": ("warn", "A new sign-in comes first"),
    "needs_approval": ("warn", "An approval comes first"),
    "needs_consent": ("warn", "The customer's consent comes first"),
    "needs_notice": ("warn", "The customer is told first"),
}
_NOTES = {
    "why": "Written into the trail",
    "says": "Said to the agent",
    "acr_values": "Sign-ins that do",
    "max_age": "Not older than",
    "order": "Order among what is needed",
}


def add_policy(blueprint: Blueprint) -> None:
    """Add the pages."""

    @blueprint.get("/policy")
    def policy() -> Response:
        found = call().get(_API)
        rules = {rule["id"]: _rule(rule) for rule in found["policies"]}
        files = [_file(file, rules) for file in found["files"]]
        return page("policy.html", policy=found, files=[*sorted(files, key=lambda file: not file["rules"])])

    @blueprint.get("/policy/try")
    def try_policy() -> Response:
        """Show the form, and the answer to what stands in the address; a case changes nothing, so it can be linked."""
        here = call()
        rules = {rule["id"]: _rule(rule) for rule in here.get(_API)["policies"]}
        if not request.args:
            return _case_page(request.args)
        try:
            found = here.post(f"{_API}/try", body_of(typed(CASE_FIELDS, request.args)))
        except ApiRefusedError as refusal:
            if refusal.error != "invalid_request":
                raise
            return _case_page(request.args, refusal=refusal)
        return _case_page(request.args, answer=_answer(found, rules))


def _rule(rule: Json) -> Json:
    look, words = _EFFECTS[rule["outcome"] or rule["effect"]]
    notes = [(name, _note(key, rule["annotations"][key])) for key, name in _NOTES.items() if key in rule["annotations"]]
    return {**rule, "look": look, "words": words, "notes": notes, "code": highlighted(rule_of(rule["text"]))}


def _note(key: str, value: str) -> str:
    return duration(int(value)) if key == "max_age" and value.isdecimal() else value


def _file(file: Json, rules: dict[str, Json]) -> Json:
    return {
        "name": file["name"],
        "opening": opening(file["text"]),
        "rules": [rules[name] for name in file["policies"] if name in rules],
        "code": highlighted(file["text"]),
    }


def _answer(found: Json, rules: dict[str, Json]) -> Json:
    look, words = _OUTCOMES.get(found["outcome"], ("", found["outcome"]))
    deciding = [{"id": name, "rule": rules.get(name)} for name in found["policies"]]
    return {**found, "look": look, "words": words, "deciding": deciding}


def _case_page(
    given: MultiDict[str, str],
    *,
    answer: Json = None,
    refusal: ApiRefusedError | None = None,
) -> Response:
    values: dict[str, Any] = {"answer": answer, "groups": CASE_GROUPS, "values": typed(CASE_FIELDS, given)}
    if refusal is None:
        return page("policy_try.html", **values, wrong={}, alert_words="")
    found = [{"field": place.removeprefix("body."), "problem": "does not fit"} for place in refusal.invalid]
    wrong, _ = problems_by_field(CASE_FIELDS, found)
    return page("policy_try.html", refusal.status, **values, wrong=wrong, alert_words=refusal.words)
