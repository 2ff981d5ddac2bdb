"""The recipe of docs/operations.md, word by word: from an empty folder to an impersonation that is active."""

import base64
import hashlib
import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner

from authserver import settings
from authserver.app import create_app, prepare
from authserver.cli import cli
from authserver.clock import SystemClock
from tests.console.staff import Staff, Wire, parts_of
from tests.signing_in import BrowserOf, hidden
from tests.world import World

DOCS = Path(__file__).parents[2] / "docs"
PASSWORD = "correct-horse-battery-9-staple"
FAST = {"AUTHSERVER_ACCOUNTS__ARGON2_TIME_COST": "1", "AUTHSERVER_ACCOUNTS__ARGON2_MEMORY_KIB": "64"}


def blocks(guide: str = "operations.md") -> list[list[str]]:
    """Return the commands of each shell block of a recipe, whole lines each."""
    found = re.findall(r"^ *```sh\n(.*?)```", (DOCS / guide).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [inspect.cleandoc(block).replace("\\\n", "").splitlines() for block in found]


def do(line: str) -> str:
    """Run one of our own commands; return what it printed."""
    arguments = shlex.split(line)[1:]
    answer = f"{PASSWORD}\n{PASSWORD}\n" if "set-password" in arguments else None
    ran = CliRunner().invoke(cli, arguments, input=answer, catch_exceptions=False)
    assert ran.exit_code == 0, (line, ran.output)
    return ran.stdout


@pytest.fixture
def first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[dict[str, str], World]]:
    """Run the first block up to `serve`; give what it printed, and the server."""
    monkeypatch.chdir(tmp_path)
    for name, value in FAST.items():
        monkeypatch.setenv(name, value)
    told: dict[str, str] = {}
    lines = blocks()[0]
    file = lines[lines.index("[server]") : lines.index("EOF")]
    Path("authserver.toml").write_text("\n".join(file), encoding="utf-8")
    for line in lines:
        if not line.startswith("authserver ") or " serve " in line:
            continue
        told[" ".join(shlex.split(line)[3:6])] = do(line)
    app = create_app(settings.load([Path("authserver.toml")]), SystemClock())
    people = {name: {"username": f"{name}@bank.example", "password": PASSWORD} for name in ("avery", "casey")}
    world = World(app, SystemClock(), {"users": people, "clients": {}})  # type: ignore[arg-type]
    with app.app_context():
        prepare(world.wired)
    yield told, world
    world.close()


def curl(world: World, command: str, variables: dict[str, str]) -> dict[str, Any]:
    """Do what a line of the recipe has curl do."""
    arguments = shlex.split(Template(command).substitute(variables))
    url, user = arguments[2], arguments[arguments.index("-u") + 1]
    form = dict(arguments[at + 1].split("=", 1) for at, each in enumerate(arguments) if each == "-d")
    basic = base64.b64encode(user.encode()).decode()
    issuer = world.wired.settings.issuer
    assert url.startswith(issuer)
    answer = world.http.post(
        url.removeprefix(issuer), data=form, headers={"Authorization": f"Basic {basic}"}, base_url=issuer
    )
    said: dict[str, Any] = answer.get_json()
    return said


def test_recipe_ends_with_an_active_impersonation(first: tuple[dict[str, str], World]) -> None:
    told, world = first
    assert "0 wrong" in told["doctor"], "also before the first start"
    _, sign_in, ask, take = blocks()[:4]
    verifier = "f" * 64
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    known = {"ISSUER": world.wired.settings.issuer, "VERIFIER": verifier, "CHALLENGE": challenge}
    known |= {"CRM_SECRET": told["clients create crm"].strip(), "API_SECRET": told["clients create bank-api"].strip()}
    known["CASEY_ID"] = told["users create casey@bank.example"].strip()
    assert known["CASEY_ID"].startswith("usr_")

    avery = BrowserOf(world)
    avery.sign_in("avery")
    [link] = [shlex.split(Template(line).substitute(known))[1] for line in sign_in if line.startswith("echo")]
    back = avery.get(link.removeprefix(known["ISSUER"]))
    assert "code=" in back.headers["Location"], back.headers
    [known["CODE"]] = parse_qs(urlsplit(back.headers["Location"]).query)["code"]
    known["AVERY"] = curl(world, sign_in[-1], known)["access_token"]

    asked = curl(world, ask[0], known)
    assert asked["error"] == "consent_required", asked
    known["HANDLE"] = asked["impersonation"]

    casey = BrowserOf(world)
    casey.sign_in("casey")
    path = f"/account/requests/{asked['impersonation_id']}"
    assert path in casey.get("/account").text
    page = casey.get(path)
    said = casey.post(path, **{**hidden(page), "decision": "approve", "number": str(asked["consent_number"])})
    assert said.status_code == 303, said.text

    known["TOKEN"] = curl(world, take[0], known)["access_token"]
    seen = curl(world, take[1], known)
    assert (seen["active"], seen["sub"], seen["scope"]) == (True, known["CASEY_ID"], "accounts:read")
    assert seen["impersonation"]["mode"] == "read_only"


@pytest.mark.usefixtures("first")
def test_the_consoles_recipe_goes_on_from_there() -> None:
    """docs/console.md: its client, its settings, its people, and each of them finds a desk."""
    register, settle, people = blocks("console.md")[:3]
    [line] = register
    before, _, file = line.strip("()").partition(" > ")
    Path(file).write_text(do(before.removeprefix("umask 077; ")), encoding="utf-8")
    with Path("authserver.toml").open("a", encoding="utf-8") as settings_file:
        settings_file.write("\n".join(["", *settle[settle.index("[console]") : settle.index("EOF")]]))
    for line in people:
        if " serve " not in line:
            do(line)
    app = create_app(settings.load([Path("authserver.toml")]), SystemClock())
    names = ("avery", "lee", "ashley")
    users = {name: {"username": f"{name}@bank.example", "password": PASSWORD} for name in names}
    world = World(app, SystemClock(), {"users": users, "clients": {}})  # type: ignore[arg-type]
    with app.app_context():
        prepare(world.wired)
    parts_of(world).api.http.mount("http://", Wire(app))
    places = {"avery": "Find a customer", "lee": "Waiting for approval", "ashley": "Register a client"}
    paths = {"avery": "/console/", "lee": "/console/queue", "ashley": "/console/clients"}
    desks = {name: Staff(world) for name in names}
    for name, staff in desks.items():
        assert places[name] in staff.enter(name, paths[name]).text
    assert "Rotate" in desks["ashley"].get("/console/keys").text  # keys:write
    world.close()
