"""Settings: files and `AUTHSERVER_*` become frozen values; what is unknown or not allowed stops the start by name."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from authserver import settings as settings_module
from authserver.settings import Settings, SettingsError, build, load


def from_environment(**environ: str) -> Settings:
    return load((), {f"AUTHSERVER_{name}": value for name, value in environ.items()})


def from_file(folder: Path, toml: str, environ: Mapping[str, str] | None = None) -> Settings:
    file = folder / "settings.toml"
    file.write_text(toml, encoding="utf-8")
    return load([file], environ or {})


def test_defaults_are_a_whole_configuration() -> None:
    settings = load((), {})
    assert settings.issuer == "http://127.0.0.1:9000"
    assert settings.server.max_body_bytes == 65536
    assert not settings.demo


def test_shipped_defaults_name_every_setting() -> None:
    """Who reads `default.toml` sees all that can be set, and nothing that cannot."""
    tree = tomllib.loads((settings_module.config_folder() / "default.toml").read_text(encoding="utf-8"))
    assert tree.keys() == Settings.model_fields.keys()
    for name, section in tree.items():
        if isinstance(section, dict):
            assert section.keys() == Settings.model_fields[name].annotation.model_fields.keys()  # type: ignore[union-attr]


def test_later_files_and_then_variables_win(tmp_path: Path) -> None:
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    first.write_text('[server]\nissuer = "https://first.example"\nmax_body_bytes = 2048\n', encoding="utf-8")
    second.write_text('[server]\nissuer = "https://second.example"\n', encoding="utf-8")
    assert load([first, second], {}).issuer == "https://second.example"
    assert load([second, first], {}).issuer == "https://first.example"
    merged = load([first, second], {"AUTHSERVER_SERVER__ISSUER": "https://third.example"})
    assert (merged.issuer, merged.server.max_body_bytes) == ("https://third.example", 2048)


def test_files_are_named_by_a_variable(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).write_text(f'[server]\nissuer = "https://{name}.example"\n', encoding="utf-8")
    paths = f"{tmp_path / 'first'}:{tmp_path / 'second'}"
    assert load((), {"AUTHSERVER_CONFIG": paths}).issuer == "https://second.example"
    assert load([tmp_path / "first"], {"AUTHSERVER_CONFIG": paths}).issuer == "https://first.example"


def test_variables_of_others_are_not_ours() -> None:
    assert load((), {"HOME": "/root", "AUTHSERVERISSUER": "x", "XAUTHSERVER_SERVER__ISSUER": "x"}) == load((), {})


@pytest.mark.parametrize(
    ("name", "value", "section", "key", "expected"),
    [
        ("SERVER__ISSUER", "https://login.example.com", "server", "issuer", "https://login.example.com"),
        ("SERVER__ISSUER", '"https://login.example.com"', "server", "issuer", "https://login.example.com"),
        ("SERVER__MAX_BODY_BYTES", "2048", "server", "max_body_bytes", 2048),
        ("SERVER__TRUSTED_PROXIES", '["10.0.0.0/24", "::1"]', "server", "trusted_proxies", ("10.0.0.0/24", "::1")),
        ("SERVER__TRUSTED_PROXIES", "[]", "server", "trusted_proxies", ()),
        ("IMPERSONATION__REASON_CODES", '["one"]', "impersonation", "reason_codes", ("one",)),
        ("IMPERSONATION__TICKET_PATTERN", "[A-Z]+-[0-9]+", "impersonation", "ticket_pattern", "[A-Z]+-[0-9]+"),
        ("IMPERSONATION__TICKET_PATTERN", "[0-9]", "impersonation", "ticket_pattern", "[0-9]"),
        ("EXCHANGE__TOKEN_TYPE_ALIASES", '{"urn:a" = "urn:b"}', "exchange", "token_type_aliases", {"urn:a": "urn:b"}),
        ("LOG__LEVEL", "debug", "log", "level", "debug"),
        ("KEYS__FOLDER", "/var/lib/keys", "keys", "folder", Path("/var/lib/keys")),
        ("KEYS__FOLDER", "2026", "keys", "folder", Path("2026")),
    ],
)
def test_variable_names_a_key_by_its_path(name: str, value: str, section: str, key: str, expected: Any) -> None:
    assert getattr(getattr(from_environment(**{name: value}), section), key) == expected


@pytest.mark.parametrize(
    "passphrase",
    [
        "correct horse",
        "123456",
        "0x10",
        "1e3",
        "1.5",
        "inf",
        "true",
        "2026-11-22",
        "[1]",
        "{}",
        '"quoted"',
        "'q'",
        "a\nb",
        "",
    ],
)
def test_text_is_taken_as_it_stands(passphrase: str) -> None:
    """A passphrase that happens to be a TOML value is still that passphrase."""
    assert from_environment(KEYS__PASSPHRASE=passphrase).keys.passphrase == passphrase


def test_app_is_set_by_variables() -> None:
    app = "APPETIZE__APPS__BANK__"
    values = {"BUILD_ID": "12345", "PLATFORM": "ios", "RECORD": "true", "ALLOWED_ORIGINS": '["https://a.example"]'}
    settings = from_environment(**{app + name: value for name, value in values.items()})
    bank = settings.appetize.apps["bank"]
    assert (bank.build_id, bank.platform, bank.record, bank.device) == ("12345", "ios", True, None)
    assert bank.allowed_origins == ("https://a.example",)
    with pytest.raises(SettingsError, match=r"appetize\.apps\.bank\.platform: .*'ios' or 'android'"):
        from_environment(**{app + "BUILD_ID": "1", app + "PLATFORM": "windows"})


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("unknown = 1", "unknown: unknown setting"),
        ("[servers]\nissuer = 'https://a.example'", "servers: unknown setting"),
        ("[server]\nisuer = 'https://a.example'", "server.isuer: unknown setting"),
        ("[server]\nissuer = 7", "server.issuer: Input should be a valid string"),
        ("[server]\nissuer = 'login.example.com'", "server.issuer: .*must be an origin"),
        ("[server]\nissuer = 'https://a.example/'", "server.issuer: .*must be an origin"),
        ("[server]\nissuer = 'https://a.example/path'", "server.issuer: .*must be an origin"),
        ("[server]\nissuer = 'https://a.example?x'", "server.issuer: .*must be an origin"),
        ("[server]\nissuer = 'https://a.example:port'", "server.issuer: .*must be an origin"),
        ("[server]\nissuer = 'https://a.example:99999'", "server.issuer: .*must be an origin"),
        ("[server]\nissuer = 'https://[half'", "server.issuer: .*must be an origin"),
        ("[server]\nissuer = 'https://me@a.example'", "server.issuer: .*must be an origin"),
        ("[server]\nissuer = 'ftp://a.example'", "server.issuer: .*must be an origin"),
        ("[server]\ntrusted_proxies = ['10.0.0.1/24']", r"server.trusted_proxies.0: .*must be a network"),
        ("[server]\ntrusted_proxies = 'everywhere'", "server.trusted_proxies: Input should be a valid tuple"),
        ("[server]\nmax_body_bytes = 1", "server.max_body_bytes: .*greater than or equal to 1024"),
        ("[server]\nmax_body_bytes = 'many'", "server.max_body_bytes: .*valid integer"),
        ("server = 'here'", "server: .*valid dictionary"),
        ("policy = 'here'", "policy: .*valid dictionary"),
        ("[keys]\naccess_token_alg = 'HS256'", "keys.access_token_alg: .*'ES256', 'RS256', 'PS256' or 'EdDSA'"),
        ("[keys]\naccess_token_alg = 'none'", "keys.access_token_alg: "),
        ("[tokens]\naccess_token_seconds = 0", "tokens.access_token_seconds: .*greater than or equal to 1"),
        ("[tokens]\naccess_token_seconds = 99999999999", "tokens.access_token_seconds: .*less than or equal"),
        ("[tokens]\nimpersonation_id_token_seconds = 301", "tokens.impersonation_id_token_seconds: .*300"),
        ("[impersonation]\nticket_pattern = '['", "impersonation.ticket_pattern: .*must be a regular expression"),
        ("[log]\nlevel = 'loud'", "log.level: .*'debug', 'info', 'warning' or 'error'"),
        ("[appetize.apps.bank]\nbuild_id = 'b'", "appetize.apps.bank.platform: Field required"),
        ("[appetize.apps.bank]\nbuild_id = 'b'\nplatform = 'ios'\nsecret = 1", "appetize.apps.bank.secret: unknown"),
    ],
)
def test_unknown_key_and_bad_value_stop_the_start_by_name(tmp_path: Path, toml: str, said: str) -> None:
    assert from_file(tmp_path, "") == load((), {})
    with pytest.raises(SettingsError, match=said):
        from_file(tmp_path, toml)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"SERVER__ISUER": "https://a.example"}, "server.isuer: unknown setting"),
        ({"ISSUER": "https://a.example"}, "issuer: unknown setting"),
        ({"SERVER_ISSUER": "https://a.example"}, "server_issuer: unknown setting"),
        ({"SERVER": "here"}, "server: "),
        ({"POLICY": "here"}, "policy: "),
        ({"SERVER__ISSUER__HOST": "a.example"}, "AUTHSERVER_SERVER__ISSUER__HOST: issuer is a value, not a section"),
        ({"SERVER__MAX_BODY_BYTES": "many"}, "server.max_body_bytes: .*valid integer"),
        ({"SERVER__TRUSTED_PROXIES": "10.0.0.0/24"}, "server.trusted_proxies: .*valid tuple"),
        ({"SERVER__TRUSTED_PROXIES": '["everywhere"]'}, "server.trusted_proxies.0: .*must be a network"),
        ({"LOG__LEVEL": "LOUD"}, "log.level: .*'debug', 'info', 'warning' or 'error'"),
        ({"SERVER__": "x"}, "server.: unknown setting"),
        ({"": "x"}, ": unknown setting"),
    ],
)
def test_unknown_variable_and_bad_value_stop_the_start_by_name(environ: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        from_environment(**environ)


def test_every_mistake_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        from_environment(SERVER__ISSUER="x", LOG__LEVEL="loud", NONSENSE="1")
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == [
        "server.issuer",
        "log.level",
        "nonsense",
    ]


def test_streams_leave_threads_to_requests() -> None:
    """The shares together: the API's, customers' pages', and where there is a console, its own."""
    shares = {"STREAMS__IN_ALL": "48", "STREAMS__ACCOUNT_IN_ALL": "49"}
    with pytest.raises(SettingsError, match="97 together, and at most 96 threads"):
        from_environment(**shares)
    console = {"CONSOLE__ENABLED": "true", "CONSOLE__CLIENT_SECRET": "x"}
    assert from_environment(**console).console.max_streams == 16
    with pytest.raises(SettingsError, match="97 together"):
        from_environment(**console, CONSOLE__MAX_STREAMS="17")
    assert from_environment(STREAMS__ACCOUNT_IN_ALL="48").streams.account_in_all == 48


def test_what_is_said_of_a_mistake_holds_no_value() -> None:
    """A secret in the wrong place is not printed."""
    with pytest.raises(SettingsError) as caught:
        from_environment(SERVER__MAX_BODY_BYTES="hunter2", DATABASE__POOL_SIZE="hunter2", KEYS__PASSPHRAS="hunter2")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_passphrase_is_not_shown() -> None:
    assert "hunter2" not in repr(from_environment(KEYS__PASSPHRASE="hunter2"))


@pytest.mark.parametrize(
    ("content", "said"), [(b"[server", "not TOML"), (b"\xff\xfe", "not TOML"), (None, "cannot be read")]
)
def test_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "own.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=f"own.toml: {said}"):
        load([file], {})


def test_settings_are_frozen() -> None:
    settings = load((), {})
    with pytest.raises(ValidationError):
        settings.demo = True
    with pytest.raises(ValidationError):
        settings.server.issuer = "https://a.example"


def test_policies_are_the_shipped_ones_unless_named(tmp_path: Path) -> None:
    shipped = settings_module.config_folder() / "policy"
    assert load((), {}).policy.folder == shipped
    assert from_environment(POLICY__FOLDER="").policy.folder == shipped
    assert from_environment(POLICY__FOLDER=str(tmp_path)).policy.folder == tmp_path


def test_tree_is_checked_as_files_are() -> None:
    with pytest.raises(SettingsError, match="server: Field required"):
        build({})
