"""The whole of sign-in, step-up and sign-out at a strict provider over real HTTP, and each of its failures."""

import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from tests.federation.strict_op import CLIENT_ID, PASSWORD, SUB
from tests.real_idp import NAME
from tests.signing_in import BrowserOf, answer_of, handed_over, redeem, refresh, stranger_reasons
from tests.world import ISSUER, Answer, World, claims, error

MFA = "urn:authserver:acr:mfa"
BACKCHANNEL = "/federation/backchannel-logout"
AFTER = "http://127.0.0.1/signed-out"


@dataclass
class Person:
    """Somebody with one browser, here and at the provider."""

    world: World
    idp: str
    here: BrowserOf = field(init=False)
    there: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.here = BrowserOf(self.world)
        self.control()

    def control(self, **told: Any) -> dict[str, Any]:
        answer = requests.post(f"{self.idp}/control", json=told, timeout=5)
        answer.raise_for_status()
        return dict(answer.json())

    def press(self, shown: Answer) -> str:
        """Press the provider's button; return where that leads."""
        return handed_over(self.here.submit(shown, f"/login/at/{NAME}"))

    def at_provider(self, url: str, *, code: str = "") -> str:
        """Do there what is asked; return the path of our callback."""
        answer = self.there.get(url, allow_redirects=False, timeout=5)
        if answer.status_code == 200:
            form = {"username": "avery", "password": PASSWORD, "code": code}
            answer = self.there.post(url, data=form, allow_redirects=False, timeout=5)
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"].removeprefix(ISSUER)

    def back(self, path: str) -> Answer:
        self.world.clock.seconds = time.time()
        return self.here.get(path)

    def sign_in(self, code: str = "", **query: Any) -> Answer:
        """Go to the application, by way of both; return what the application's request comes to."""
        asked = self.here.authorize(**query)
        shown = self.here.get(asked.headers["Location"])
        done = self.back(self.at_provider(self.press(shown), code=code))
        if done.status_code == 303:
            return self.here.follow(done)
        return done

    def logout_token(self, **changes: Any) -> str:
        return str(self.control(logout=changes)["token"])

    @property
    def sid(self) -> str:
        with self.world.work() as work:
            held = self.world.wired.sessions.find(work, self.here.cookie() or "")
        assert held is not None
        assert held.upstream_sid is not None
        return held.upstream_sid


@pytest.fixture
def person(strict_world: World, strict_idp: str) -> Person:
    return Person(strict_world, strict_idp)


def failed(world: World) -> str:
    """Return why the last sign-in failed, after checking that none succeeded."""
    assert not world.events("session:started")
    return str(world.events("sign-in:failed")[-1]["reason"])


# --- signing in


def test_agent_signs_in_and_gets_their_role_by_a_rule(person: Person) -> None:
    world = person.world
    other = BrowserOf(world)
    other.sign_in()
    tokens = redeem(world, answer_of(person.sign_in(scope="openid impersonate", resource=ISSUER))["code"]).json
    assert claims(tokens["id_token"])["acr"] == "urn:authserver:acr:password"
    assert claims(tokens["access_token"])["sub"] == world.id("agent")
    linked = world.events("identity:linked")[-1]
    assert (linked["user_id"], linked["how"], SUB in str(linked)) == (world.id("agent"), "linked", False)


@pytest.mark.parametrize(("alg", "kid"), [("ES256", "second"), ("PS256", None), ("ES256", None)])
def test_keys_may_rotate_and_need_no_kid(person: Person, alg: str, kid: str | None) -> None:
    assert "code" in answer_of(person.sign_in())
    person.control(rotate=[alg, kid])
    person.world.clock.pass_(5)
    person.here = BrowserOf(person.world)
    time.sleep(1.1)
    assert "code" in answer_of(person.sign_in())


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"claims": {"aud": "another"}}, "upstream.audience"),
        ({"claims": {"aud": [CLIENT_ID, "another"], "azp": "another"}}, "upstream.audience"),
        ({"claims": {"nonce": "an old one"}}, "upstream.nonce"),
        ({"claims": {"nonce": None}}, "upstream.nonce"),
        ({"claims": {"iss": "https://other.example.com"}}, "foreign.issuer"),
        ({"claims": {"at_hash": "x"}}, "upstream.at_hash"),
        ({"claims": {"exp": 1}}, "foreign.expired"),
        ({"claims": {"email_verified": False}}, "person.email_not_verified"),
        ({"claims": {"email": "customer@example.com"}}, "person.not_linked"),
        ({"claims": {"email": "admin@example.com", "groups": []}}, "person.no_role"),
        ({"names_itself": "https://other.example.com"}, "upstream.answer_of_another_issuer"),
        ({"names_itself": None}, "upstream.answer_of_another_issuer"),
        ({"slow": 1.5}, "transport.timeout"),
    ],
)
def test_what_goes_wrong_at_the_provider_is_a_clear_page_and_evidence_and_no_sign_in(
    person: Person, wrong: dict[str, Any], reason: str
) -> None:
    asked = person.here.authorize()
    url = person.press(person.here.get(asked.headers["Location"]))
    if "slow" not in wrong:
        person.control(wrong=wrong)
    path = person.at_provider(url)
    person.control(wrong=wrong)
    shown = person.back(path)
    assert shown.status_code == 400
    assert "Signing in at your organisation did not work" in shown.text
    assert failed(person.world) == reason
    assert person.here.cookie() is None


def test_a_provider_that_is_down_is_a_clear_page(person: Person) -> None:
    asked = person.here.authorize()
    shown = person.here.get(asked.headers["Location"])
    person.control(wrong={"slow": 1.5})
    assert person.here.submit(shown, f"/login/at/{NAME}").status_code == 400
    assert stranger_reasons(person.world) == {"transport.timeout"}
    local = person.here.log_in(person.here.get("/login"))
    assert local.status_code == 303, "an account here needs no provider"


# --- step-up


def test_a_stronger_sign_in_is_asked_of_the_provider_in_its_words(person: Person) -> None:
    person.sign_in()
    asked = person.here.authorize(acr_values=MFA)
    shown = person.here.get(asked.headers["Location"])
    assert "Continue with Example Corp" in shown.text
    assert "Password" not in shown.text
    url = person.press(shown)
    assert dict(parse_qsl(urlsplit(url).query))["acr_values"] == "2"
    done = person.here.follow(person.back(person.at_provider(url, code="123456")))
    tokens = redeem(person.world, answer_of(done)["code"]).json
    assert claims(tokens["id_token"])["acr"] == MFA


def test_a_provider_that_does_not_reach_the_acr_signs_nobody_in_and_the_client_is_told(person: Person) -> None:
    refused = answer_of(person.sign_in(acr_values=MFA))
    assert (refused["error"], refused["state"]) == ("unmet_authentication_requirements", "a state")
    assert failed(person.world) == "upstream.acr_not_met"
    assert person.here.cookie() is None


def test_an_acr_that_the_provider_never_says_is_not_asked_of_it(person: Person) -> None:
    asked = person.here.authorize(acr_values="phr")
    shown = person.here.get(asked.headers["Location"])
    refused = person.here.follow(person.here.submit(shown, f"/login/at/{NAME}"))
    assert answer_of(refused)["error"] == "unmet_authentication_requirements"
    assert failed(person.world) == "upstream.acr_unknown"


@pytest.mark.parametrize("query", [{"prompt": "login"}, {"prompt": "select_account"}, {"max_age": "60"}])
def test_a_fresh_sign_in_is_asked_of_the_provider_and_checked(person: Person, query: dict[str, str]) -> None:
    person.sign_in()
    person.control(age=1000)
    person.world.clock.pass_(300)
    asked = person.here.authorize(**query)
    url = person.press(person.here.get(asked.headers["Location"]))
    sent = dict(parse_qsl(urlsplit(url).query))
    assert (sent["max_age"], sent.get("prompt")) == (("0", "login") if "prompt" in query else ("60", None))
    person.control(wrong={"careless": True})
    refused = answer_of(person.here.follow(person.back(person.at_provider(url))))
    assert refused["error"] == "login_required"
    assert person.world.events("sign-in:failed")[-1]["reason"] == "upstream.authentication_too_old"
    assert not person.world.events("session:reauthenticated")
    person.control()
    if "prompt" in query:  # by the clock of this machine the session is still younger than max_age
        assert "code" in answer_of(person.sign_in(**query))


def test_a_client_cannot_be_told_of_a_step_up_that_was_not_refused(person: Person) -> None:
    """The proof is signed, and of one request."""
    asked = person.here.authorize(acr_values=MFA)
    shown = person.here.get(asked.headers["Location"])
    person.press(shown)
    forged = person.here.authorize(acr_values=MFA, interaction=f"unmet.{int(time.time())}.{'0' * 64}")
    assert forged.headers["Location"].startswith("/login")


# --- signing out, here


def out_there(person: Person, left: Answer) -> tuple[dict[str, str], Answer]:
    """Follow a person to the provider and back; return what it was asked, and where they end."""
    url = left.headers["Location"] if left.status_code == 303 else handed_over(left)
    assert url.startswith(f"{person.idp}/logout?")
    assert person.here.cookie() is None
    answer = person.there.get(url, allow_redirects=False, timeout=5)
    return dict(parse_qsl(urlsplit(url).query)), person.here.get(answer.headers["Location"].removeprefix(ISSUER))


def test_who_signs_out_here_signs_out_there_and_comes_back(person: Person) -> None:
    person.sign_in()
    sid = person.sid
    sent, ended = out_there(person, person.here.submit(person.here.get("/logout"), "/logout"))
    assert (sent["logout_hint"], "id_token_hint" in sent) == (sid, False)
    assert (sent["client_id"], sent["post_logout_redirect_uri"]) == (CLIENT_ID, f"{ISSUER}/logout/callback")
    assert "You are signed out" in ended.text
    assert "could not be told" not in ended.text
    assert person.world.events("session:ended")[-1]["user_id"] == person.world.id("agent")
    assert person.control()["sids"] == [] or sid not in person.control()["sids"]


@pytest.mark.parametrize("confirmed", [False, True])
def test_an_applications_logout_goes_by_the_provider_to_where_the_application_said(
    person: Person, *, confirmed: bool
) -> None:
    tokens = redeem(person.world, answer_of(person.sign_in())["code"]).json
    query = {"post_logout_redirect_uri": AFTER, "state": "its own"}
    hint = person.world.id_token("agent") if confirmed else tokens["id_token"]
    left = person.here.get("/oauth/logout", id_token_hint=hint, **query)
    if confirmed:
        left = person.here.submit(left, "/oauth/logout/confirm")
    sent, ended = out_there(person, left)
    assert ended.headers["Location"] == f"{AFTER}?state=its+own"
    assert AFTER not in str(sent), "the provider need not know"
    assert error(refresh(person.world, tokens["refresh_token"])) == "invalid_grant"


@pytest.mark.parametrize("trick", ["another state", "another browser", "no state", "twice"])
def test_only_who_was_sent_to_the_provider_comes_back_to_the_application(person: Person, trick: str) -> None:
    tokens = redeem(person.world, answer_of(person.sign_in())["code"]).json
    left = person.here.get("/oauth/logout", id_token_hint=tokens["id_token"], post_logout_redirect_uri=AFTER)
    state = dict(parse_qsl(urlsplit(left.headers["Location"]).query))["state"]
    asking = BrowserOf(person.world) if trick == "another browser" else person.here
    if trick == "twice":
        assert asking.get("/logout/callback", state=state).headers["Location"] == AFTER
    given = {"another state": "x" * 43, "no state": ""}.get(trick, state)
    shown = asking.get("/logout/callback", state=given)
    assert (shown.status_code, "Location" in shown.headers) == (200, False)


def test_who_is_signed_in_is_not_told_that_they_are_signed_out(person: Person) -> None:
    person.sign_in()
    assert person.here.get("/logout/callback", state="x").headers["Location"] == "/account"
    assert person.here.get("/account").status_code == 200


def test_a_provider_that_is_down_keeps_nobody_signed_in_here(person: Person) -> None:
    person.sign_in()
    person.control(wrong={"slow": 1.5})
    known = person.world.wired.federation.trusted.find(NAME)
    assert known is not None
    known.metadata._value = known.metadata._tried_at = None
    shown = person.here.submit(person.here.get("/logout"), "/logout")
    assert shown.status_code == 200
    assert "could not be told" in shown.text
    assert person.here.cookie() is None
    assert person.world.events("logout:not_passed_on")[-1]["reason"] == "transport.timeout"
    assert person.world.events("session:ended")


# --- signing out, there


def test_who_signs_out_there_is_signed_out_here_with_all_that_rests_on_it(person: Person) -> None:
    """Back-Channel Logout §2.7: tokens, refresh tokens, and design section 4: impersonations."""
    world = person.world
    other = BrowserOf(world)
    other.sign_in()
    tokens = redeem(world, answer_of(person.sign_in(scope="openid impersonate", resource=ISSUER))["code"]).json
    acting = world.way_a(actor_token=tokens["access_token"]).json
    assert world.introspect(acting["access_token"])["active"]
    answer = world.post(BACKCHANNEL, {"logout_token": person.logout_token(sid=person.sid)}, client=None)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert person.here.get("/account").headers["Location"].startswith("/login")
    assert world.introspect(tokens["access_token"], "backend") == {"active": False}
    assert world.introspect(acting["access_token"]) == {"active": False}
    assert error(refresh(world, tokens["refresh_token"])) == "invalid_grant"
    assert world.events("impersonation:ended")[-1]["ended_by"] == f"issuer:{NAME}"
    assert (world.events("logout:received")[-1]["told"], len(world.events("session:ended"))) == ("sid", 1)
    assert other.get("/account").status_code == 200, "a session of an account here is none of the provider's"


def test_a_subject_is_signed_out_everywhere_and_nobody_else(person: Person) -> None:
    person.sign_in()
    second = Person(person.world, person.idp)
    second.sign_in()
    assert person.sid != second.sid
    world = person.world
    stranger = world.post(BACKCHANNEL, {"logout_token": person.logout_token(sub="nobody here")}, client=None)
    both = world.post(BACKCHANNEL, {"logout_token": person.logout_token(sub="x", sid=person.sid)}, client=None)
    assert (stranger.status_code, both.status_code) == (200, 200)
    assert not world.events("session:ended")
    assert world.post(BACKCHANNEL, {"logout_token": person.logout_token(sub=SUB)}, client=None).status_code == 200
    assert len(world.events("logout:received")[-1]["sessions"]) == 3, "and the one here that they had before"
    for one in (person, second):
        assert one.here.get("/account").status_code == 303
