"""The directory's pages at the console in each of their states, as an admin comes to them."""

from collections.abc import Callable
from urllib.parse import urlencode

from playwright.sync_api import FilePayload, Page, expect

from tests.browser.console_visits import enter, somebody
from tests.conftest import Demo
from tests.world import API

CSV = """username,name,roles,country,email
nora.new,Nora New,support,SE,nora@example.com
omar.new,Omar New,auditor,DK,omar@example.com
bad.row,Bad Row,emperor,Sweden,bad@example.com
two words,Second Bad,support,SE,second@example.com
"""


def csv_file(content: str) -> FilePayload:
    """Return a file as one is chosen."""
    return {"name": "people.csv", "mimeType": "text/csv", "buffer": content.encode()}


def at(page: Page, demo: Demo, path: str) -> None:
    enter(page, demo, "admin", path)
    page.get_by_role("heading", level=1).wait_for()


def users(page: Page, demo: Demo) -> None:
    at(page, demo, "/users")
    page.get_by_role("table").wait_for()


def users_none(page: Page, demo: Demo) -> None:
    at(page, demo, "/users?q=nobody+is+called+that")
    page.get_by_text("Nobody like that").wait_for()


def user(page: Page, demo: Demo) -> None:
    at(page, demo, f"/users/{demo.credentials['users']['customer']['id']}")
    page.get_by_role("heading", name="What is known").wait_for()


def user_asked(page: Page, demo: Demo) -> None:
    """Come to the question before somebody is disabled."""
    user(page, demo)
    page.get_by_text("Disable…").click()
    page.get_by_role("button", name="Disable Casey Customer").wait_for()


def user_oneself(page: Page, demo: Demo) -> None:
    at(page, demo, f"/users/{demo.credentials['users']['admin']['id']}")
    page.get_by_text("This is you.").wait_for()


def user_error(page: Page, demo: Demo) -> None:
    user(page, demo)
    page.get_by_label("Country").evaluate("field => { field.removeAttribute('maxlength'); field.value = 'Sweden'; }")
    page.get_by_label("Name", exact=True).fill("Casey Changed")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("alert").wait_for()


def user_new(page: Page, demo: Demo) -> None:
    at(page, demo, "/users/new")
    page.get_by_label("User name").wait_for()


def user_new_error(page: Page, demo: Demo) -> None:
    user_new(page, demo)
    page.get_by_label("User name").fill("two words")
    page.get_by_role("checkbox", name="Customer a customer").check()
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("alert").wait_for()


def password(page: Page, demo: Demo) -> None:
    who = somebody(demo, "with-new-password", "customer")
    at(page, demo, f"/users/{demo.credentials['users'][who]['id']}")
    page.get_by_text("New password…").click()
    page.get_by_role("button", name="Make a new password").click()
    page.get_by_role("heading", name="A new password").wait_for()


def user_import(page: Page, demo: Demo) -> None:
    at(page, demo, "/users/import")
    page.get_by_label("A CSV file").wait_for()


def import_looked_at(page: Page, demo: Demo, content: str = CSV) -> None:
    user_import(page, demo)
    file = csv_file(content)
    page.get_by_label("A CSV file").set_input_files([file])
    page.get_by_role("button", name="Look at it").click()
    page.get_by_role("heading", name="This would be imported").wait_for()


def import_error(page: Page, demo: Demo) -> None:
    user_import(page, demo)
    file = csv_file("username,colour\nnora,blue\n")
    page.get_by_label("A CSV file").set_input_files([file])
    page.get_by_role("button", name="Look at it").click()
    page.get_by_text("There is no such column").wait_for()


def import_working(page: Page, demo: Demo) -> None:
    """Come to an import that is half way: after two answers none comes."""
    user_import(page, demo)
    page.evaluate("""() => {
      const [ask, asked] = [window.fetch, []];
      window.fetch = (...what) => (asked.push(what) > 2 ? new Promise(() => {}) : ask(...what));
    }""")
    rows = "".join(f"person{number},Person {number}\n" for number in range(450))
    file = csv_file(f"username,name\n{rows}")
    page.get_by_label("A CSV file").set_input_files([file])
    page.get_by_role("button", name="Look at it").click()
    expect(page.locator("#working-count")).to_have_text("200 of 450 rows")


def clients(page: Page, demo: Demo) -> None:
    at(page, demo, "/clients")
    page.get_by_role("link", name="Support backend").wait_for()


def client(page: Page, demo: Demo) -> None:
    at(page, demo, "/clients/backend")
    page.get_by_role("heading", name="Secrets").wait_for()


def client_asked(page: Page, demo: Demo) -> None:
    """Come to the question before a client is given a new secret."""
    client(page, demo)
    page.get_by_text("New secret…").click()
    page.get_by_label("The secrets of now die").wait_for()


def client_new(page: Page, demo: Demo) -> None:
    at(page, demo, "/clients/~new")
    page.get_by_label("Client id").wait_for()


def client_new_error(page: Page, demo: Demo) -> None:
    client_new(page, demo)
    page.get_by_label("Client id").fill("ledger")
    page.get_by_label("Redirect URIs").fill("https://*.example.com/cb")
    page.get_by_label("Its public keys").fill("[")
    page.get_by_role("button", name="Register").click()
    page.get_by_role("alert").wait_for()


def secret(page: Page, demo: Demo) -> None:
    at(page, demo, "/clients/other-backend")
    page.get_by_text("New secret…").click()
    page.get_by_role("button", name="Make a new secret").click()
    page.get_by_role("heading", name="A new secret").wait_for()


def resources(page: Page, demo: Demo) -> None:
    at(page, demo, "/resources")
    page.get_by_role("table").wait_for()


def resource(page: Page, demo: Demo) -> None:
    at(page, demo, f"/resources/one?{urlencode({'uri': API})}")
    page.get_by_role("heading", name="Scopes").wait_for()


def resource_fixed(page: Page, demo: Demo) -> None:
    at(page, demo, f"/resources/one?{urlencode({'uri': demo.issuer})}")
    page.get_by_text("This is the server itself").wait_for()


def resource_new(page: Page, demo: Demo) -> None:
    at(page, demo, "/resources/new")
    page.get_by_label("URI").wait_for()


def scope(page: Page, demo: Demo) -> None:
    at(page, demo, f"/resources/scope?{urlencode({'uri': API, 'name': 'accounts:read'})}")
    page.get_by_label("Never delegated").wait_for()


def scope_error(page: Page, demo: Demo) -> None:
    at(page, demo, f"/resources/scope?{urlencode({'uri': API})}")
    page.get_by_label("Name").fill("two words")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("alert").wait_for()


def refused(page: Page, demo: Demo) -> None:
    enter(page, demo, "auditor", "/users")
    page.get_by_role("heading", name="You may not do this").wait_for()


DIRECTORY: dict[str, Callable[[Page, Demo], object]] = {
    "directory-users": users,
    "directory-users-none": users_none,
    "directory-user": user,
    "directory-user-asked": user_asked,
    "directory-user-oneself": user_oneself,
    "directory-user-error": user_error,
    "directory-user-new": user_new,
    "directory-user-new-error": user_new_error,
    "directory-password": password,
    "directory-import": user_import,
    "directory-import-looked-at": import_looked_at,
    "directory-import-error": import_error,
    "directory-import-working": import_working,
    "directory-clients": clients,
    "directory-client": client,
    "directory-client-asked": client_asked,
    "directory-client-new": client_new,
    "directory-client-new-error": client_new_error,
    "directory-secret": secret,
    "directory-resources": resources,
    "directory-resource": resource,
    "directory-resource-fixed": resource_fixed,
    "directory-resource-new": resource_new,
    "directory-scope": scope,
    "directory-scope-error": scope_error,
    "directory-refused": refused,
}
