"""A `User-Agent` in words that its owner knows: for people to recognise a browser by, never to decide anything on."""

UNKNOWN = "An unknown program"

# The first that fits: browsers claim to be those that came before them.
_BROWSERS = (
    ("Edge", ("Edg/", "EdgA/", "EdgiOS/")),
    ("Opera", ("OPR/", "OPT/", "OPX/")),
    ("Samsung Internet", ("SamsungBrowser/",)),
    ("Firefox", ("Firefox/", "FxiOS/")),
    ("DuckDuckGo", ("DuckDuckGo/", "Ddg/")),
    ("An app", ("; wv)", "okhttp/", "Dalvik/", "CFNetwork/")),
    ("Chrome", ("Chrome/", "CriOS/")),
    ("Safari", ("Safari/",)),
    ("curl", ("curl/",)),
    ("A Python program", ("python-", "Python-")),
    ("A Go program", ("Go-http-client/",)),
    ("A Node program", ("node",)),
    ("A Java program", ("Java/",)),
)
_SYSTEMS = (
    ("a television", ("Tizen", "Web0S", "SMART-TV", "AppleTV")),
    ("iPhone", ("iPhone", "iPod")),
    ("iPad", ("iPad",)),
    ("Android", ("Android",)),
    ("ChromeOS", ("CrOS ",)),
    ("Windows", ("Windows",)),
    ("Mac", ("Macintosh", "Mac OS X")),
    ("Linux", ("Linux", "X11;")),
)


def in_words(user_agent: str) -> str:
    """Return `Chrome on Windows`, or as much of it as can be told; never any of the input itself."""
    browser, system = _first(_BROWSERS, user_agent), _first(_SYSTEMS, user_agent)
    if browser is None:
        return UNKNOWN if system is None else f"{UNKNOWN} on {system}"
    return browser if system is None else f"{browser} on {system}"


def _first(names: tuple[tuple[str, tuple[str, ...]], ...], user_agent: str) -> str | None:
    return next((name for name, marks in names if any(mark in user_agent for mark in marks)), None)
