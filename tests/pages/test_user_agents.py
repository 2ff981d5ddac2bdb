"""A `User-Agent` in words, for people to know their browsers by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authserver.pages.user_agents import UNKNOWN, in_words

_WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_BLINK = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0"
_WINDOWS = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_BLINK}"
_ANDROID = f"Mozilla/5.0 (Linux; Android 15; Pixel 9{{}}) {_BLINK} Mobile Safari/537.36"
_IPHONE = f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) {_WEBKIT}"


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (f"{_WINDOWS} Safari/537.36", "Chrome on Windows"),
        (f"{_WINDOWS} Safari/537.36 Edg/140.0.0.0", "Edge on Windows"),
        (f"{_WINDOWS} Safari/537.36 OPR/121.0.0.0", "Opera on Windows"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:142.0) Gecko/20100101 Firefox/142.0", "Firefox on Windows"),
        (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_WEBKIT} Version/18.6 Safari/605.1.15", "Safari on Mac"),
        (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_BLINK} Safari/537.36", "Chrome on Mac"),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {_BLINK} Safari/537.36", "Chrome on ChromeOS"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0", "Firefox on Linux"),
        (f"{_IPHONE} Version/18.6 Mobile/15E148 Safari/604.1", "Safari on iPhone"),
        (f"{_IPHONE} CriOS/140.0.7339.39 Mobile/15E148 Safari/604.1", "Chrome on iPhone"),
        (f"{_IPHONE} FxiOS/142.0 Mobile/15E148 Safari/605.1.15", "Firefox on iPhone"),
        (f"{_IPHONE} EdgiOS/140.0 Version/18.0 Mobile/15E148 Safari/604.1", "Edge on iPhone"),
        (f"{_IPHONE} Mobile/15E148", "An unknown program on iPhone"),
        (f"Mozilla/5.0 (iPad; CPU OS 16_7 like Mac OS X) {_WEBKIT} Version/16.6 Safari/604.1", "Safari on iPad"),
        (_ANDROID.format(""), "Chrome on Android"),
        (_ANDROID.format("; wv"), "An app on Android"),
        ("Mozilla/5.0 (Android 15; Mobile; rv:142.0) Gecko/142.0 Firefox/142.0", "Firefox on Android"),
        (_ANDROID.format("").replace("Mobile", "SamsungBrowser/28.0 Mobile"), "Samsung Internet on Android"),
        ("curl/8.15.0", "curl"),
        ("python-requests/2.32", "A Python program"),
        ("Roku/DVP (Linux)", f"{UNKNOWN} on Linux"),
        ("Mozilla/5.0 (Web0S; Linux/SmartTV) Chrome/94 Safari/537", "Chrome on a television"),
        ("Your bank's own security check", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_a_browser_has_a_name_that_its_owner_knows(user_agent: str, words: str) -> None:
    assert in_words(user_agent) == words


@given(st.text(max_size=255))
def test_nothing_of_a_hostile_one_is_shown(user_agent: str) -> None:
    assert set(in_words(user_agent)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz ")
