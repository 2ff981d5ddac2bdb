"""An agent's pages: each shows what the API says, sends what was typed, and gives nothing away."""

import re
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from authserver import settings
from tests.conftest import MakeWorld
from tests.console.staff import Staff, console_world, parts_of, text, wire
from tests.signing_in import handed_over, hidden
from tests.world import REASON, World

HOSTILE = '"><script>alert(1)</script>'


def form(world: World, target: str = "customer", **changes: Any) -> dict[str, Any]:
    """Return the form as it is sent."""
    return {"subject": world.id(target), "mode": "read_only", "expires_in": "900", **REASON, **changes}


def one(world: World, who: str = "agent") -> dict[str, Any]:
    found = world.api("GET", "/api/v1/impersonations", who).json["items"]
    assert len(found) == 1
    return dict(found[0])


def test_a_customer_is_found_by_what_one_types(staff: Staff) -> None:
    staff.enter()
    assert "Charlie Customer" in staff.get("/console/find", q="charl").text
    assert "Charlie Customer" in staff.get("/console/", q="charl").text  # without scripts
    assert "Nobody" in staff.get("/console/find", q="Lee Lead").text
    assert staff.get("/console/find", q="").text.strip() == ""


def test_the_words_of_a_search_stand_as_words(staff: Staff) -> None:
    staff.enter()
    assert HOSTILE not in staff.get("/console/", q=HOSTILE).text


@pytest.mark.parametrize(
    ("whom", "said"),
    [("customer", "At once"), ("customer-ask", "The customer is asked first."), ("vip", "Another person approves")],
)
def test_what_may_be_done_is_said_before_it_is_asked(world: World, staff: Staff, whom: str, said: str) -> None:
    staff.enter()
    assert said in text(staff.get("/console/start", subject=world.id(whom)))


@pytest.mark.parametrize("whom", ["disabled", "lead", "agent"])
def test_whom_one_may_not_open_all_look_alike(world: World, staff: Staff, whom: str) -> None:
    staff.enter()
    known, unknown = (staff.get("/console/start", subject=each) for each in (world.id(whom), "usr_nobody"))
    assert known.status_code == unknown.status_code == 403
    assert "This customer cannot be opened." in text(known)
    assert text(known) == text(unknown)


def test_what_was_typed_is_what_is_asked(world: World, staff: Staff) -> None:
    staff.enter()
    sent = staff.send("/console/start", **form(world))
    started = one(world)
    assert sent.headers["Location"] == f"/console/impersonations/{started['id']}"
    assert (started["expires_in"], started["ticket_id"]) == (900, "BANK-1042")
    assert (started["reason"], started["client_id"]) == ("a wrong balance", "console")
    shown = staff.get(sent.headers["Location"])
    assert "data-opens" in shown.text  # the device opens by itself, once


def test_the_agents_words_are_theirs_alone(world: World, staff: Staff) -> None:
    staff.enter()
    shown = staff.get(
        "/console/start", subject=world.id("customer"), ticket="BANK-7", reason_code="security_review"
    ).text
    field = re.search(r'<input id="reason"[^>]*>', shown)
    assert field is not None
    assert 'value=""' in field[0]
    assert "required" in field[0]
    assert "autofocus" in field[0]  # what is left to be typed


def test_where_no_words_are_wanted_none_are_made_up(make_sqlite_world: MakeWorld, tmp_path: Path) -> None:
    folder = tmp_path / "policy"
    shutil.copytree(settings.config_folder() / "policy", folder)
    file = folder / "reason.cedar"
    file.write_text(file.read_text().replace("unless { context.hasReason };", "unless { true };"))
    world = console_world(make_sqlite_world, policy={"folder": str(folder)})
    staff = Staff(world)
    staff.enter()
    shown = staff.get("/console/start", subject=world.id("customer-ask"), ticket="BANK-7").text
    assert "required" not in "".join(re.findall(r'<input id="reason"[^>]*>', shown))
    sent = staff.send("/console/start", **form(world, "customer-ask", reason="", reason_code="security_review"))
    started = one(world)
    assert started["reason"] == ""
    assert "No words of their own" in staff.get(sent.headers["Location"]).text
    asked = world.api("GET", f"/api/v1/impersonations/{started['id']}", "customer-ask").json["consent_request"]
    assert asked["words_version"] == "request/2"
    assert any("Security review (chosen from a list)." in words for words in asked["words"])


def test_the_device_is_opened_at_the_server_and_nothing_secret_passes(make_sqlite_world: MakeWorld) -> None:
    world = console_world(make_sqlite_world, appetize={"embed_origin": "http://localhost:9000"})
    staff = Staff(world)
    staff.enter()
    staff.send("/console/start", **form(world))
    path = f"/console/impersonations/{one(world)['id']}"
    opened = staff.send(f"{path}/device", staff.get(path))
    assert opened.headers["Location"].startswith("http://127.0.0.1:9000/appetize/embed/")
    assert "secret" not in opened.text + str(opened.headers)
    assert "data-opens" not in staff.get(path).text


def test_where_there_is_no_page_for_devices_that_is_said(world: World, staff: Staff) -> None:
    staff.enter()
    path = f"/console/impersonations/{world.start('agent').json['id']}"
    opened = staff.send(f"{path}/device")
    assert (opened.status_code, "appetize.embed_origin" in text(opened)) == (409, True)


def test_the_banner_says_whom_one_acts_as_and_only_to_them(world: World, staff: Staff) -> None:
    staff.enter()
    world.start("agent")
    world.start("agent2", "customer")
    shown = staff.get("/console/mine")
    assert shown.text.count('class="acting"') == 1
    leads = Staff(world)
    leads.enter("lead")
    assert 'class="acting"' not in leads.get("/console/mine").text


def test_a_part_that_is_the_same_is_not_sent_again(world: World, staff: Staff) -> None:
    staff.enter()
    path = f"/console/impersonations/{world.start('agent').json['id']}/now"
    first = staff.get(path)
    again = staff.http.get(path, headers={"If-None-Match": first.headers["ETag"]}, base_url=staff.issuer)
    assert again.status_code == 304


def test_an_impersonation_of_others_is_as_if_it_were_not(world: World, staff: Staff) -> None:
    other = world.start("agent2").json["id"]
    staff.enter("agent")
    for path in (f"/console/impersonations/{other}", f"/console/impersonations/{other}/now"):
        assert staff.get(path).status_code == 404
    assert staff.send(f"/console/impersonations/{other}/end").status_code == 404
    assert world.api("GET", f"/api/v1/impersonations/{other}", "agent2").json["state"] == "active"


def test_what_one_does_is_recorded_as_theirs(world: World, staff: Staff) -> None:
    staff.enter("auditor")
    assert staff.send("/console/start", staff.get("/console/impersonations"), **form(world)).status_code == 403
    refused = world.events("request:refused")[-1]
    assert (refused["actor"], refused["client_id"]) == (world.id("auditor"), "console")


def test_a_report_that_is_owed_is_filed_here(make_sqlite_world: MakeWorld) -> None:
    world = console_world(make_sqlite_world)
    started = world.start("lead", "vip", override="break_glass")
    assert started.status_code == 201, started.text
    staff = Staff(world)
    path = f"/console/impersonations/{started.json['id']}"
    shown = staff.enter("lead", path)
    assert "The report that you owe" not in shown.text
    staff.send(f"{path}/end", shown)
    shown = staff.get(path)
    assert "The report that you owe" in shown.text
    assert staff.send(f"{path}/report", shown, report="  ").status_code == 400
    words = "It could not wait: the transfer would have left within the hour."
    assert staff.send(f"{path}/report", shown, report=words).status_code == 303
    assert "The report is filed." in staff.get(path).text


def test_a_weak_sign_in_is_made_stronger_and_nothing_typed_is_lost(world: World, staff: Staff) -> None:
    """RFC 9470: the page sends its person to sign in as the API wants it, and has the form as it was."""
    shown = staff.enter("lead")
    typed = form(world, "vip", override="break_glass", reason="it burns", expires_in="600")
    page = f"/console/start?subject={world.id('vip')}"
    sent = staff.send("/console/start", shown, page=page, **typed)
    asked = handed_over(sent)
    assert "acr_values=" in asked
    assert "max_age=" in asked
    assert not world.api("GET", "/api/v1/impersonations", "lead").json["items"]
    back = staff.go(page)  # whoever does not go on finds the form empty: it is kept for the one who comes back
    assert "it burns" not in back.text


def test_what_was_typed_comes_back_after_a_new_sign_in(world: World, staff: Staff) -> None:
    staff.enter()
    page = f"/console/start?subject={world.id('customer')}"
    staff.http.delete_cookie("console", path="/console", domain="127.0.0.1")
    sent = staff.post("/console/start", page=page, csrf="of before", **form(world, reason="still here"))
    back = staff.go(staff.local(handed_over(sent)))
    assert 'value="still here"' in back.text
    assert '<option value="900" selected>' in back.text
    assert 'value="still here"' not in staff.get(page).text
    assert not world.api("GET", "/api/v1/impersonations", "agent").json["items"]


def test_flash_words_are_said_once(world: World, staff: Staff) -> None:
    shown = staff.enter()
    path = f"/console/impersonations/{world.start('agent').json['id']}"
    staff.send(f"{path}/end", shown)
    assert "You act as Casey Customer no more." in staff.get(path).text
    assert "You act as Casey Customer no more." not in staff.get(path).text


def test_so_many_live_pages_and_no_more(make_sqlite_world: MakeWorld) -> None:
    """Whoever finds no room asks again and again instead; what a page held is free when it goes."""
    world = console_world(make_sqlite_world, console={"max_streams": 1})
    staff = Staff(world)
    staff.enter()
    path = f"/console/live/impersonations/{world.start('agent').json['id']}"
    first = staff.http.get(path, base_url=staff.issuer)
    assert first.content_type.startswith("text/event-stream")
    assert staff.http.get(path, base_url=staff.issuer).status_code == 503
    first.close()
    again = staff.http.get(path, base_url=staff.issuer)
    assert again.status_code == 200
    again.close()


def test_a_stream_that_is_refused_takes_no_room(make_sqlite_world: MakeWorld) -> None:
    world = console_world(make_sqlite_world, console={"max_streams": 1})
    staff = Staff(world)
    staff.enter()
    for _ in range(3):
        assert staff.get("/console/live/impersonations/imp_unknown").status_code == 404


def test_too_many_calls_at_once_wait_and_are_told(world: World, staff: Staff) -> None:
    staff.enter()
    slots = parts_of(world).api._slots
    held = [slots.acquire(blocking=False) for _ in range(24)]
    assert all(held)
    threading.Timer(0.3, slots.release).start()
    assert staff.get("/console/mine").status_code == 200
    assert wire(world).sent


def test_the_console_has_no_place_for_what_is_not_there(staff: Staff) -> None:
    shown = staff.enter()
    assert "Find a customer" in shown.text
    assert "Audit trail" not in shown.text
    assert hidden(shown)["csrf"]
