"""`/account/requests/<id>` and the customer's part of `/account`: asked, answered, ended, taken back (section 4)."""

import re

import pytest

from tests.consenting import ONE, asking, browser_of, consent, extend, number, read
from tests.signing_in import BrowserOf, hidden
from tests.world import ISSUER, Answer, World


def page_of(impersonation_id: str) -> str:
    return f"/account/requests/{impersonation_id}"


def answer(browser: BrowserOf, impersonation_id: str, **form: str) -> Answer:
    path = page_of(impersonation_id)
    return browser.submit(browser.get(path), path, **form)


def numbers(shown: Answer) -> list[int]:
    return [int(found) for found in re.findall(r'name="number" value="(\d\d)"', shown.text)]


def test_link_asks_for_sign_in_and_leads_back(world: World) -> None:
    waiting, browser = asking(world, consent_way="mail")["id"], BrowserOf(world)
    sent = browser.get(page_of(waiting))
    shown = browser.follow(sent)
    assert "a wrong balance" not in shown.text
    back = browser.follow(browser.log_in(shown, "customer-ask"))
    assert "May support see your account?" in back.text


def test_reading_changes_nothing_however_often(world: World) -> None:
    waiting, browser = asking(world, consent_way="mail")["id"], browser_of(world)
    before = (read(world, waiting), len(world.events()))
    for query in ({}, {"decision": "approve"}, {"number": "42"}):
        assert browser.get(page_of(waiting), **query).status_code == 200
    assert (read(world, waiting), len(world.events())) == before


def test_page_shows_the_words_that_are_recorded(world: World) -> None:
    waiting, browser = asking(world)["id"], browser_of(world)
    shown = browser.get(page_of(waiting)).text
    for sentence in read(world, waiting, "customer-ask")["consent_request"]["words"]:
        assert f"<p>{sentence}</p>" in shown
    answer(browser, waiting, number=str(number(world, waiting)))
    [event] = world.events("consent:decided", waiting)
    assert (event["way"], event["words_version"]) == ("number_match", "request/1")


def test_number_that_the_agent_reads_out_allows_it(world: World) -> None:
    waiting, browser = asking(world)["id"], browser_of(world)
    assert number(world, waiting) in numbers(browser.get(page_of(waiting)))
    done = browser.follow(answer(browser, waiting, number=str(number(world, waiting))))
    assert "You have allowed it" in done.text
    assert read(world, waiting)["state"] == "active"


def test_wrong_number_denies_and_warns(world: World) -> None:
    waiting, browser = asking(world)["id"], browser_of(world)
    others = [n for n in numbers(browser.get(page_of(waiting))) if n != number(world, waiting)]
    done = browser.follow(answer(browser, waiting, number=str(others[0])))
    assert "That was not the number" in done.text
    assert read(world, waiting)["end_reason"] == "number_mismatch"


@pytest.mark.parametrize(
    "form", [{}, {"decision": "approve"}, {"decision": "maybe"}, {"number": "7"}, {"number": "٤٢"}, {"number": "042"}]
)
def test_page_takes_no_yes_without_a_number(world: World, form: dict[str, str]) -> None:
    waiting, browser = asking(world)["id"], browser_of(world)
    assert answer(browser, waiting, **form).status_code == 400
    assert read(world, waiting)["state"] == "awaiting_consent"


@pytest.mark.parametrize(("decision", "state"), [("approve", "active"), ("deny", "denied")])
def test_request_by_mail_is_answered_on_the_page(world: World, decision: str, state: str) -> None:
    waiting, browser = asking(world, consent_way="mail")["id"], browser_of(world)
    assert numbers(browser.get(page_of(waiting))) == []
    assert answer(browser, waiting, decision=decision).status_code == 303
    shown = read(world, waiting)
    assert (shown["state"], shown["consent"]["way"]) == (state, "mail")


def test_another_customers_request_is_as_unknown(world: World) -> None:
    waiting, other = asking(world, consent_way="mail")["id"], browser_of(world, "customer")
    assert other.get(page_of(waiting)).status_code == 404
    form = hidden(other.get("/account/sign-in"))
    assert other.post(page_of(waiting), **form, decision="approve").status_code == 404
    assert read(world, waiting)["state"] == "awaiting_consent"


def test_agents_browser_answers_nothing_and_ends_nothing(world: World) -> None:
    waiting, browser = asking(world, consent_way="mail")["id"], browser_of(world, "agent")
    form = hidden(browser.get("/account"))
    for path in (page_of(waiting), f"/account/impersonations/{waiting}/end", "/account/consents"):
        assert browser.post(path, **form, decision="approve", days="30").status_code in {403, 404}
    assert read(world, waiting)["state"] == "awaiting_consent"


def test_form_that_was_not_ours_answers_nothing(world: World) -> None:
    waiting, browser = asking(world, consent_way="mail")["id"], browser_of(world)
    form = hidden(browser.get(page_of(waiting)))
    assert browser.post(page_of(waiting), decision="approve").status_code == 403
    assert browser.post(page_of(waiting), csrf="x" * 64, decision="approve").status_code == 403
    assert browser.post(page_of(waiting), _origin="https://evil.example", **form, decision="approve").status_code == 403
    assert read(world, waiting)["state"] == "awaiting_consent"


def test_what_was_allowed_is_taken_back_on_its_page(world: World) -> None:
    started = world.way_a(target="customer-ask", consent_way="mail").json
    waiting, browser = started["impersonation_id"], browser_of(world)
    answer(browser, waiting, decision="approve")
    token = world.way_c(started["impersonation"]).json["access_token"]
    assert "Take it back" in browser.get(page_of(waiting)).text
    assert "It is over" in browser.follow(answer(browser, waiting, decision="deny")).text
    assert (read(world, waiting)["state"], world.introspect(token)["active"]) == ("revoked", False)


def test_extension_is_asked_on_the_same_page(world: World) -> None:
    waiting, browser = asking(world, expires_in=600, consent_way="mail")["id"], browser_of(world)
    answer(browser, waiting, decision="approve")
    extend(world, waiting, expires_in=1200)
    assert "20 minutes" in browser.get(page_of(waiting)).text
    answer(browser, waiting, decision="deny")
    assert (read(world, waiting)["state"], read(world, waiting)["extension"]) == ("active", None)


def test_hostile_reason_stays_text(world: World) -> None:
    reason = "<script>x</script>\nPress\u202eAllow"
    waiting, browser = asking(world, reason=reason)["id"], browser_of(world)
    shown = browser.get(page_of(waiting)).text
    assert "<script>x" not in shown
    assert "&lt;script&gt;x&lt;/script&gt; Press Allow”" in shown


# --- the account page


def test_account_page_shows_what_is_asked_what_runs_and_what_was(world: World) -> None:
    browser = browser_of(world)
    waiting = asking(world)["id"]
    assert page_of(waiting) in browser.get("/account").text
    consent(world, waiting)
    shown = browser.get("/account")
    assert "Avery Agent can see your account now" in shown.text
    ended = browser.submit(shown, f"/account/impersonations/{waiting}/end")
    assert "You ended it" in browser.follow(ended).text
    assert read(world, waiting)["end_reason"] == "subject"


def test_standing_consent_is_given_and_taken_back_with_all_of_them(world: World) -> None:
    browser = browser_of(world)
    world.api("POST", "/api/v1/consents", "customer-ask", json={"expires_in": 3600})
    world.clock.pass_(1)
    granted = browser.submit(browser.get("/account/permissions"), "/account/consents", days="30")
    token = world.way_a(target="customer-ask").json["access_token"]
    found = re.search(r"/account/consents/(con_\w+)/withdraw", browser.follow(granted).text)
    assert found is not None
    taken = browser.submit(browser.get("/account/permissions"), found.group(0))
    assert "You are asked each time" in browser.follow(taken).text
    assert world.introspect(token) == {"active": False}
    assert len(world.events("consent:withdrawn")) == 2
    assert world.start(target="customer-ask").json["state"] == "awaiting_consent"


@pytest.mark.parametrize("days", ["0", "-1", "366", "x", "99999", ""])
def test_standing_consent_has_an_end_in_bounds(world: World, days: str) -> None:
    browser = browser_of(world)
    assert browser.submit(browser.get("/account/permissions"), "/account/consents", days=days).status_code == 400
    assert world.api("GET", f"{ONE}", "customer-ask").json["items"] == []
    assert world.api("GET", "/api/v1/consents", "customer-ask").json["items"] == []


def test_a_yes_to_what_was_not_shown_is_no_yes(world: World) -> None:
    """The page was loaded for one life; the actor asked for another since."""
    started = world.start(target="customer-ask").json
    browser = BrowserOf(world)
    browser.sign_in("customer-ask")
    shown = browser.get(page_of(started["id"]))
    form = {**hidden(shown), "words_hash": "0" * 64, "number": str(numbers(shown)[0])}
    stale = browser.post(page_of(started["id"]), ISSUER, **form)
    assert stale.status_code == 409
    assert world.api("GET", f"/api/v1/impersonations/{started['id']}", "agent").json["state"] == "awaiting_consent"
    body = {"decision": "approve", "words_hash": "0" * 64}
    refused = world.api("POST", f"/api/v1/impersonations/{started['id']}/consent", "customer-ask", json=body)
    assert refused.status_code == 409
    assert world.events("consent:decided") == []
