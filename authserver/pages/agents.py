"""What a program calls itself, in words of ours: its own are chosen by whoever sends them, and never shown."""

_PROGRAMS = (
    ("Edg/", "Microsoft Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("Wget/", "Wget"),
    ("python-", "a Python program"),
    ("Python-", "a Python program"),
    ("Go-http-client/", "a Go program"),
    ("okhttp/", "an Android app"),
    ("Dalvik/", "an Android app"),
    ("CFNetwork/", "an Apple app"),
    ("Java/", "a Java program"),
    ("node", "a Node.js program"),
)
_SYSTEMS = (
    ("Tizen", "a television"),
    ("Web0S", "a television"),
    ("SMART-TV", "a television"),
    ("AppleTV", "a television"),
    ("iPhone", "an iPhone"),
    ("iPad", "an iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "a Mac"),
    ("Darwin", "an Apple device"),
    ("Linux", "Linux"),
)


def in_words(user_agent: str) -> str:
    """Return what a User-Agent header says, as far as it is known: it is a claim, not a proof."""
    program = next((words for mark, words in _PROGRAMS if mark in user_agent), None)
    system = next((words for mark, words in _SYSTEMS if mark in user_agent), None)
    if program is None:
        return "an unknown program" if system is None else f"an unknown program on {system}"
    return program if system is None else f"{program} on {system}"
