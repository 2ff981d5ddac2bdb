"""Policies as people read them: the sentence above each as prose, and its text with its parts told apart."""

import re

from markupsafe import Markup, escape

_TOKEN = re.compile(
    r"(?P<comment>//[^\n]*)"
    r'|(?P<text>"(?:[^"\\\n]|\\.)*")'
    r"|(?P<note>@[A-Za-z_]\w*)"
    r"|(?P<word>\b(?:permit|forbid|when|unless|if|then|else|in|is|has|like|true|false)\b)"
)
_BEGINS = re.compile(r"^(?:permit|forbid)\b", re.MULTILINE)
_SPAN = Markup('<span class="cedar-{}">{}</span>')


def highlighted(text: str) -> Markup:
    """Return Cedar as HTML: comments, texts, annotations and words of the language are each of a class."""
    parts, at = list[Markup](), 0
    for found in _TOKEN.finditer(text):
        parts += [escape(text[at : found.start()]), _SPAN.format(found.lastgroup, found[0])]
        at = found.end()
    return Markup("").join([*parts, escape(text[at:])])


def rule_of(text: str) -> str:
    """Return a policy without the comment and the annotations above it, which are shown as prose."""
    found = _BEGINS.search(text)
    return text if found is None else text[found.start() :]


def opening(text: str) -> str:
    """Return what a file says of itself: the comment at its top, where an empty line parts it from the first policy."""
    block, _, rest = text.lstrip("\n").partition("\n\n")
    lines = block.splitlines()
    if not rest or not lines or not all(line.startswith("//") for line in lines):
        return ""
    return " ".join(line.removeprefix("//").strip() for line in lines)
