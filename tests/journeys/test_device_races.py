"""What many do with one device authorization at the same moment happens once, on both databases."""

from collections import Counter
from functools import partial

import pytest

from tests.conftest import MakeWorld
from tests.devices import asked, decide, enter, poll
from tests.journeys.at_once import at_once, prove
from tests.signing_in import BrowserOf, hidden, refresh
from tests.world import Answer, World, error

THREADS = 8
ROUNDS = 3


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """The seeded server on each database."""
    patient = {"account_free_failures": 100, "address_free_failures": 100}  # who decides too late counts as a guesser
    return make_world(accounts=patient)


@pytest.fixture
def browser(world: World) -> BrowserOf:
    """A browser in which the customer is signed in."""
    browser = BrowserOf(world)
    browser.sign_in("customer")
    return browser


def test_of_eight_polls_at_once_one_gets_the_tokens_and_the_others_are_a_replay(
    world: World, browser: BrowserOf
) -> None:
    given = asked(world)
    decide(browser, given)
    answers = at_once(world, *[partial(poll, given=given)] * THREADS)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: THREADS - 1}
    assert {error(answer) for answer in answers if answer.status_code == 400} == {"invalid_grant"}
    won = next(answer.json for answer in answers if answer.status_code == 200)
    assert not world.introspect(won["access_token"])["active"]
    assert error(refresh(world, won["refresh_token"])) == "invalid_grant"
    assert prove(world).ok


def test_of_many_polls_at_once_each_but_one_is_too_fast(world: World) -> None:
    given = asked(world)
    answers = at_once(world, *[partial(poll, given=given)] * THREADS)
    assert Counter(map(error, answers)) == {"authorization_pending": 1, "slow_down": THREADS - 1}
    assert max(answer.json.get("interval", 0) for answer in answers) == 5 + 5 * (THREADS - 1)


def test_of_two_people_who_decide_at_once_one_does(world: World, browser: BrowserOf) -> None:
    """Two, for what one person decides waits for that person's row anyway."""
    other = BrowserOf(world)
    other.sign_in("customer-ask")
    for _ in range(ROUNDS):
        given, before = asked(world), len(decisions(world))
        calls = [
            partial(post, who=who, form=hidden(enter(who, given["user_code"])), decision=decision)
            for who, decision in ((browser, "allow"), (other, "deny"))
        ]
        answers = at_once(world, *calls * (THREADS // 2))
        assert Counter(answer.status_code for answer in answers) == {303: 1, 400: THREADS - 1}
        won = next(answer.headers["Location"] for answer in answers if answer.status_code == 303)
        assert len(decisions(world)) == before + 1
        allowed = decisions(world)[-1] == "device:approved"
        assert won == ("/device/allowed" if allowed else "/device/denied")
        assert poll(world, given).status_code == (200 if allowed else 400)
    assert prove(world).ok


def test_polls_at_the_moment_of_the_decision_give_the_tokens_once(world: World, browser: BrowserOf) -> None:
    for _ in range(ROUNDS):
        given = asked(world)
        form = hidden(enter(browser, given["user_code"]))

        def allow(_world: World, form: dict[str, str] = form) -> Answer:
            return browser.post("/device/decision", **form, decision="allow")

        answers = at_once(world, allow, *[partial(poll, given=given)] * 3)
        assert answers[0].status_code == 303
        assert sum(answer.status_code == 200 for answer in (*answers[1:], poll(world, given))) == 1


def decisions(world: World) -> list[str]:
    """Return the names of the decisions in the trail, oldest first."""
    return [event["name"] for event in world.events() if event["name"] in {"device:approved", "device:denied"}]


def post(world: World, who: BrowserOf, form: dict[str, str], decision: str) -> Answer:
    """Decide from another window of somebody's browser."""
    window = BrowserOf(world)
    window.http.set_cookie("authserver-session", who.cookie() or "", domain="127.0.0.1")
    return window.post("/device/decision", **form, decision=decision)
