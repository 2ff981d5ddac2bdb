import pytest

from authserver.accounts.authentication import (
    ACR_MFA,
    ACR_PASSWORD,
    ACR_PHISHING_RESISTANT,
    Factors,
    Method,
    authenticated,
    is_fresh,
    meets,
    suffices,
)

PWD, OTP, RC, HWK, SWK = (
    Method.PASSWORD,
    Method.OTP,
    Method.RECOVERY_CODE,
    Method.DEVICE_PASSKEY,
    Method.SYNCED_PASSKEY,
)
PLAIN = Factors(password=True, totp=False, passkeys=0, recovery_codes=0)
WITH_APP = Factors(password=True, totp=True, passkeys=0, recovery_codes=10)
WITH_PASSKEY = Factors(password=True, totp=False, passkeys=1, recovery_codes=0)


@pytest.mark.parametrize(
    ("methods", "acr", "amr"),
    [
        ([PWD], ACR_PASSWORD, ("pwd",)),
        ([PWD, OTP], ACR_MFA, ("pwd", "otp", "mfa")),
        ([PWD, RC], ACR_MFA, ("pwd", "rc", "mfa")),
        ([HWK], ACR_PHISHING_RESISTANT, ("hwk", "user", "mfa")),
        ([SWK], ACR_PHISHING_RESISTANT, ("swk", "user", "mfa")),
        ([PWD, HWK], ACR_PHISHING_RESISTANT, ("pwd", "hwk", "user", "mfa")),
    ],
)
def test_acr_and_amr_say_what_was_really_done(methods: list[Method], acr: str, amr: tuple[str, ...]) -> None:
    done = authenticated(methods, 1000)
    assert (done.acr, done.amr, done.auth_time) == (acr, amr, 1000)


@pytest.mark.parametrize("methods", [[], [OTP], [RC], [OTP, RC]])
def test_second_factors_alone_amount_to_nothing(methods: list[Method]) -> None:
    with pytest.raises(ValueError, match="neither"):
        authenticated(methods, 1000)
    assert not suffices(methods, PLAIN)
    assert not suffices(methods, WITH_APP)


@pytest.mark.parametrize(
    ("methods", "factors", "enough"),
    [
        ([PWD], PLAIN, True),
        ([PWD], WITH_APP, False),
        ([PWD], WITH_PASSKEY, False),
        ([PWD, OTP], WITH_APP, True),
        ([PWD, RC], WITH_APP, True),
        ([HWK], WITH_PASSKEY, True),
        ([SWK], WITH_APP, True),
    ],
)
def test_a_password_alone_does_not_do_where_there_is_a_second_factor(
    methods: list[Method], factors: Factors, *, enough: bool
) -> None:
    assert suffices(methods, factors) is enough


@pytest.mark.parametrize(
    ("acr", "wanted", "met"),
    [
        (ACR_PASSWORD, [], True),
        (ACR_PASSWORD, [ACR_PASSWORD], True),
        (ACR_PASSWORD, [ACR_MFA], False),
        (ACR_PASSWORD, [ACR_PHISHING_RESISTANT, ACR_PASSWORD], True),
        (ACR_MFA, [ACR_PASSWORD], True),
        (ACR_MFA, [ACR_PHISHING_RESISTANT], False),
        (ACR_PHISHING_RESISTANT, [ACR_MFA], True),
        (ACR_PHISHING_RESISTANT, ["urn:unknown"], False),
        ("urn:upstream:gold", ["urn:upstream:gold"], True),
        ("urn:upstream:gold", [ACR_PASSWORD], False),
        ("", [ACR_PASSWORD], False),
        ("0", [ACR_PASSWORD], False),
    ],
)
def test_a_stronger_acr_does_for_a_weaker_one_and_foreign_ones_have_to_be_equal(
    acr: str, wanted: list[str], *, met: bool
) -> None:
    assert meets(acr, wanted) is met


@pytest.mark.parametrize(("max_age", "fresh"), [(None, True), (300, True), (100, True), (99, False), (0, False)])
def test_freshness_is_counted_from_auth_time(max_age: int | None, *, fresh: bool) -> None:
    assert is_fresh(900, max_age, 1000) is fresh
