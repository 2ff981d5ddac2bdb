"""The form of an app: every setting that one can have, in the words of people."""

from dataclasses import dataclass

from authserver.console.setting_fields import YES_NO, Field, Json, Values, pairs, parsed


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that belong together; `always` is open, another one only where something stands in it."""

    title: str
    words: str
    fields: tuple[Field, ...]
    always: bool = False


def _flag(name: str, label: str, hint: str = "", default: str = "As the vendor has it") -> Field:
    return Field(name=name, label=label, kind="choice", hint=hint, choices=(("", default), *YES_NO))


def _choice(name: str, label: str, hint: str = "", *choices: tuple[str, str]) -> Field:
    return Field(name=name, label=label, kind="choice", hint=hint, choices=choices)


_APP = Group(
    "The app",
    "",
    (
        Field(
            name="platform",
            label="Platform",
            kind="choice",
            choices=(("android", "Android"), ("ios", "iOS")),
            default="android",
            required=True,
        ),
        Field(
            name="build_id",
            label="Build",
            hint="The vendor's id of the build: letters, digits, - and _.",
            required=True,
        ),
        Field(
            name="version",
            label="Version of this build",
            hint="The app's own, such as 5.4.1. With it, a customer of another version shows.",
        ),
        Field(
            name="builds",
            label="Builds of other versions",
            kind="pairs",
            hint="One a line: VERSION = BUILD, such as 5.3.0 = b_530.",
        ),
    ),
    always=True,
)
_WHO = Group(
    "Who may use it",
    "Nothing chosen: every agent. Otherwise whoever has one of the roles, or is in one of the groups.",
    (
        Field(name="roles", label="Roles", kind="several", choices=(("support", "Agents"), ("lead", "Leads"))),
        Field(name="groups", label="Groups", kind="lines", hint="One a line."),
        Field(
            name="allowed_origins",
            label="Pages that may show it",
            kind="lines",
            hint="Origins of your own pages, one a line, such as https://crm.example.com.",
        ),
    ),
    always=True,
)
_SIGNING_IN = Group(
    "How it is signed in",
    "What the app is given at its start, and turns into the customer's session.",
    (
        _choice(
            "how",
            "It is given",
            "",
            ("", "With the launch (default)"),
            ("launch_params", "With the launch"),
            ("deep_link", "By deep link"),
        ),
        _choice(
            "passes",
            "What it is given",
            "A link gets logged, so a code that works once travels in it.",
            ("", "A token with the launch, a code by link (default)"),
            ("token", "The token"),
            ("code", "A code that works once"),
        ),
        _choice(
            "dpop",
            "Binds its tokens to the device's key (DPoP)",
            "For a code alone. Required: the app proves that it holds a key, or its code is worth nothing.",
            ("", "No (default)"),
            ("off", "No"),
            ("optional", "If the app brings a proof"),
            ("required", "Required"),
        ),
        Field(name="param", label="Name of the launch parameter", hint="By default impersonatedUserToken."),
        Field(
            name="deep_link",
            label="Deep link",
            hint="With {value} in it once. By default appetize://impersonation/{value}.",
        ),
    ),
)
_DEVICE = Group(
    "The device",
    "Language, locale, time zone and appearance are the customer's own unless they are set here.",
    (
        Field(name="device", label="Device", hint="The vendor's name, such as pixel7 or iphone15pro."),
        Field(name="os_version", label="System version", hint="Such as 14.0."),
        Field(name="language", label="Language", hint="Such as sv."),
        Field(name="locale", label="Locale", hint="Such as sv_SE."),
        Field(name="timezone", label="Time zone", hint="Android alone. Such as Europe/Stockholm."),
        _choice("appearance", "Appearance", "", ("", "The customer's"), ("light", "Light"), ("dark", "Dark")),
        _choice(
            "orientation",
            "Orientation",
            "",
            ("", "As the vendor has it"),
            ("portrait", "Portrait"),
            ("landscape", "Landscape"),
        ),
        Field(name="location", label="Location", kind="numbers", hint="Latitude and longitude, such as 59.33,18.06."),
        Field(name="scale", label="Scale", hint="auto, or a percentage from 10 to 100.", number=True),
        Field(name="volume", label="Volume", kind="number", hint="From 0 to 100."),
    ),
)
_SESSION = Group(
    "The session",
    "",
    (
        _flag(
            "record", "Record what is done", "Keeps each touch and each screen's elements as evidence.", "No (default)"
        ),
        _flag("screen_only", "The screen alone", "Without the frame of a phone."),
        _flag("user_interaction_disabled", "Look only", "The agent cannot touch the device at all."),
        _flag("hide_passwords", "Hide what is typed as password", "Android alone."),
        _flag("grant_permissions", "Grant the app its permissions"),
        _flag("audio", "Sound"),
        _flag("debug", "Debug log", "Not for customers' data.", "No (default)"),
        _choice("proxy", "Look into network traffic", "", ("", "No"), ("intercept", "Yes, intercept it")),
    ),
)
_VENDOR = Group(
    "The vendor",
    "Leave these empty unless you run the vendor's service on a host of your own.",
    (
        Field(name="sdk_url", label="Script", hint="By default https://js.appetize.io/embed.js."),
        Field(name="base_url", label="Service", hint="By default https://appetize.io."),
        _choice("region", "Region", "", ("", "As the vendor has it"), ("eu", "Europe"), ("us", "United States")),
    ),
)
GROUPS = (_APP, _WHO, _SIGNING_IN, _DEVICE, _SESSION, _VENDOR)
FIELDS = tuple(field for group in GROUPS for field in group.fields)
_NO_PAIR = "Each line is VERSION = BUILD."
_TWICE = "A version stands there twice."


def settings_of(values: Values) -> tuple[dict[str, Json], dict[str, str]]:
    """Return the settings that were typed, and what is wrong that would be lost on the way to the API."""
    found = {field.name: parsed(field, values[field.name]) for field in FIELDS}
    named = pairs(values["builds"])
    problems = {}
    if not all(version and build for version, build in named):
        problems["builds"] = _NO_PAIR
    elif len({version for version, _ in named}) < len(named):
        problems["builds"] = _TWICE
    return {name: value for name, value in found.items() if value is not None}, problems
