"""The admin at the console, in real Chromium, with the demo's credentials: clients, a file, hostile words."""

import csv
import re
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Browser, Page, expect

from tests.browser import directory_visits as directory
from tests.browser.chromium import opened
from tests.browser.console_visits import call, enter, somebody
from tests.browser.test_console import HOSTILE
from tests.conftest import Demo

NAMELY = HOSTILE.replace("\u202e", "")  # what turns words around is refused, so it is never shown


def unhurt(page: Page) -> bool:
    return page.evaluate("window.hit") is None


def test_a_client_is_registered_and_its_secret_is_seen_once(chromium: Browser, named_demo: Demo) -> None:
    with opened(chromium) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        directory.clients(page, named_demo)
        page.get_by_role("link", name="Register a client").click()
        page.get_by_label("Client id").fill("ledger")
        page.get_by_label("Name", exact=True).fill("Ledger")
        page.get_by_role("checkbox", name="As itself").check()
        page.get_by_role("checkbox", name="accounts:read").check()
        page.get_by_role("checkbox", name="Support backend").check()
        page.get_by_label("Redirect URIs").fill("https://ledger.example.com/callback")
        page.get_by_role("button", name="Register").click()
        page.get_by_role("heading", name="It is registered").wait_for()
        secret = page.locator("#secret").inner_text()
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", secret)
        page.get_by_role("button", name="Copy").click()
        expect(page.get_by_text("Copied.")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == secret
        assert secret not in page.url
        page.get_by_role("link", name="I have it").click()
        page.get_by_role("heading", name="Ledger").wait_for()
        assert secret not in page.content()
        found = call(named_demo, "admin", "GET", "/api/v1/clients/ledger")
        assert (found["accepts_tokens_of"], found["scopes"]) == (["backend"], ["accounts:read"])
        page.get_by_text("Disable…").click()
        page.get_by_role("button", name="Disable Ledger").click()
        page.get_by_text("It is refused everything.").wait_for()


def test_a_file_with_two_bad_rows_is_looked_at_taken_and_mended(
    chromium: Browser, named_demo: Demo, tmp_path: Path
) -> None:
    with opened(chromium) as page:
        directory.import_looked_at(page, named_demo)
        assert page.evaluate("document.activeElement.id") == "result-title"
        bad = page.get_by_role("table", name="Rows that are not taken, and why").locator("tbody tr")
        expect(bad).to_have_count(3)
        assert (
            re.sub(r"\s+", " ", bad.nth(1).inner_text()) == "4 bad.row country Sweden Is two capital letters, or empty"
        )
        assert call(named_demo, "admin", "GET", "/api/v1/users?q=nora.new")["items"] == []
        page.get_by_role("button", name="Import them").click()
        page.get_by_role("heading", name="This was imported").wait_for()
        assert page.locator("[data-count=create]").inner_text() == "2"
        assert len(call(named_demo, "admin", "GET", "/api/v1/users?q=nora.new")["items"]) == 1
        with page.expect_download() as download:
            page.get_by_role("button", name="The bad rows as a file").click()
        file = tmp_path / download.value.suggested_filename
        download.value.save_as(file)
        with file.open(encoding="utf-8-sig", newline="") as opened_file:
            rows = list(csv.DictReader(opened_file))
        assert [(row["row"], row["username"]) for row in rows] == [("4", "bad.row"), ("5", "two words")]
        mended = file.read_text("utf-8-sig").replace("emperor", "support").replace("Sweden", "SE")
        file.write_text(mended.replace("two words", "two.words"), "utf-8")
        page.get_by_label("A CSV file").set_input_files(file)
        page.get_by_role("button", name="Look at it").click()
        page.get_by_role("heading", name="This would be imported").wait_for()
        assert page.locator("[data-count=create]").inner_text() == "2"


def test_a_long_file_goes_in_pieces_and_a_lost_connection_heals(chromium: Browser, named_demo: Demo) -> None:
    rows = [
        f'long{number},"Long, {number}\n"' if number % 50 == 0 else f"long{number},Long {number}"
        for number in range(350)
    ]
    with opened(chromium) as page:
        directory.user_import(page, named_demo)
        page.get_by_label("A CSV file").set_input_files([directory.csv_file("username,name\r\n" + "\r\n".join(rows))])
        page.get_by_role("button", name="Look at it").click()
        page.get_by_role("heading", name="This would be imported").wait_for()
        counted = [page.locator(f"[data-count={name}]").inner_text() for name in ("create", "error")]
        assert counted == ["350", "0"]
        page.route("**/users/import/rows", lambda route: route.abort(), times=1)
        page.get_by_role("button", name="Import them").click()
        expect(page.get_by_role("alert")).to_contain_text("The connection was lost.")
        page.get_by_role("button", name="Import them").click()
        page.get_by_role("heading", name="This was imported").wait_for()
        assert page.locator("[data-count=create]").inner_text() == "350"


def test_a_name_in_two_pieces_of_a_file_is_found(chromium: Browser, named_demo: Demo) -> None:
    rows = "\n".join([*(f"twice{number},T" for number in range(150)), "twice3,Another"])
    with opened(chromium) as page:
        directory.user_import(page, named_demo)
        page.get_by_label("A CSV file").set_input_files([directory.csv_file(f"username,name\n{rows}")])
        page.get_by_role("button", name="Look at it").click()
        expect(page.get_by_role("alert")).to_have_text(
            "Rows 5 and 152 have the same user name, twice3. Each person has one row."
        )
        expect(page.get_by_role("button", name="Import them")).to_be_hidden()


def test_hostile_words_stay_words(chromium: Browser, named_demo: Demo) -> None:
    """Names, addresses, redirect URIs, descriptions and files: stored by the API, or typed and given back."""
    person = call(
        named_demo, "admin", "POST", "/api/v1/users", {"username": "<b>x</b>", "name": NAMELY, "groups": ["<i>"]}
    )
    body = {
        "client_id": "hostile",
        "name": NAMELY,
        "redirect_uris": ["https://x.example/?<script>window.hit=1</script>"],
    }
    try:
        call(named_demo, "admin", "POST", "/api/v1/clients", body)
    except OSError:  # a URI that is none is refused
        call(named_demo, "admin", "POST", "/api/v1/clients", {**body, "redirect_uris": []})
    uri = "https://hostile.example/"
    scope = {"name": "hostile:read", "access": "read", "description": NAMELY, "roles": ["support"]}
    call(named_demo, "admin", "POST", "/api/v1/resources", {"uri": uri, "name": NAMELY, "scopes": [scope]})
    query = urlencode({"uri": uri})
    with opened(chromium) as page:
        enter(page, named_demo, "admin", "/users?q=%22%3E%3Cimg")
        base = named_demo.credentials["console"]
        for path in (
            f"/users/{person['id']}",
            f"/users?{urlencode({'q': HOSTILE})}",
            f"/users?{urlencode({'role': HOSTILE})}",
            "/clients/hostile",
            f"/clients?{urlencode({'q': HOSTILE})}",
            "/clients/backend",
            "/resources",
            f"/resources/one?{query}",
            f"/resources/one?{urlencode({'uri': HOSTILE})}",
            f"/resources/scope?{query}&name=hostile%3Aread",
        ):
            page.goto(base + path)
            assert unhurt(page), path
        page.goto(f"{base}/resources/one?{query}")
        assert NAMELY[:20] in page.locator("main").inner_text()
        for path, button in (("/users/new", "Add"), ("/clients/~new", "Register"), ("/resources/new", "Register")):
            page.goto(base + path)
            page.evaluate("for (const form of document.forms) form.noValidate = true")
            for field in page.locator("main input[type=text], main textarea").all():
                field.evaluate("(field, words) => { field.value = words; }", HOSTILE)
            page.get_by_role("button", name=button, exact=True).click()
            page.get_by_role("alert").wait_for()
            assert unhurt(page), path
            assert page.locator("main input[type=text]").first.input_value() == HOSTILE
        page.goto(f"{base}/users/import")
        quoted = '"' + HOSTILE.replace('"', '""') + '"'
        lines = f"username,name,country\n{quoted},{quoted},{quoted}\nhostile.fine,{quoted},SE\n"
        page.get_by_label("A CSV file").set_input_files([directory.csv_file(lines)])
        page.get_by_role("button", name="Look at it").click()
        page.get_by_role("heading", name="This would be imported").wait_for()
        assert unhurt(page)
        page.get_by_label("A CSV file").set_input_files([directory.csv_file(f"username,{quoted}\na,b\n")])
        page.get_by_role("button", name="Look at it").click()
        page.get_by_text("There is no such column").wait_for()
        assert unhurt(page)


def test_a_file_is_imported_without_scripts(chromium: Browser, named_demo: Demo) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    enter(page, named_demo, "admin", "/users/import")
    page.get_by_label("A CSV file").set_input_files([directory.csv_file("username,name\nplain.new,Plain\nb c,X\n")])
    page.get_by_role("button", name="Look at it").click()
    page.get_by_role("heading", name="This would be imported").wait_for()
    page.get_by_role("button", name="Import them").click()
    page.get_by_role("heading", name="This was imported").wait_for()
    page.get_by_role("link", name="See the users").click()
    page.get_by_label("Search").fill("plain.new")
    page.get_by_role("button", name="Filter").click()
    page.get_by_role("link", name="Plain").wait_for()
    context.close()


def test_the_directory_is_used_without_a_mouse(chromium: Browser, named_demo: Demo) -> None:
    """The question before somebody is disabled opens, and is answered, by the keyboard."""
    who = somebody(named_demo, "leaving")  # who is disabled loses every session, and others need theirs
    with opened(chromium) as page:
        directory.at(page, named_demo, f"/users/{named_demo.credentials['users'][who]['id']}")
        page.locator("summary", has_text="Disable…").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Disable Sasha Agent"
        page.keyboard.press("Enter")
        page.get_by_text("They cannot sign in").wait_for()
        expect(page.get_by_role("status").first).to_contain_text("Disabled.")
        page.get_by_role("button", name="Enable").press("Enter")
        page.get_by_text("They sign in anew").wait_for()
