"""The number that an agent reads out, and those that the customer picks it from (design section 4)."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, cast

from authserver.impersonation import number_match
from authserver.tokens.secret_hashes import SecretHasher

HASHER = SecretHasher(b"p" * 32)


@dataclass
class Asked:
    id: str
    digest: str = "d" * 64


def asked(number: int, digest: str = "d" * 64) -> Any:
    return cast("Any", Asked(f"imp_{number}", digest))


def test_right_one_is_among_three_distinct_numbers_of_two_digits() -> None:
    for number in range(2000):
        choices = number_match.choices(HASHER, asked(number))
        assert number_match.number(HASHER, asked(number)) in choices
        assert len(set(choices)) == len(choices) == 3
        assert list(choices) == sorted(choices)
        assert all(10 <= choice <= 99 for choice in choices)


def test_place_of_the_right_one_tells_nothing() -> None:
    places = Counter(
        number_match.choices(HASHER, asked(number)).index(number_match.number(HASHER, asked(number)))
        for number in range(3000)
    )
    assert all(850 < count < 1150 for count in places.values()), places


def test_every_node_finds_the_same_and_nobody_without_the_pepper() -> None:
    again, other = SecretHasher(b"p" * 32), SecretHasher(b"q" * 32)
    ids = range(50)
    numbers = [number_match.choices(HASHER, asked(number)) for number in ids]
    assert [number_match.choices(again, asked(number)) for number in ids] == numbers
    assert [number_match.choices(other, asked(number)) for number in ids] != numbers


def test_another_digest_asks_with_other_numbers() -> None:
    changed = [
        number_match.choices(HASHER, asked(number)) != number_match.choices(HASHER, asked(number, "e" * 64))
        for number in range(50)
    ]
    assert sum(changed) > 45
