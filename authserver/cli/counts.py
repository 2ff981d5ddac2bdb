"""Numbers of things, as one says them."""


def counted(number: int, one: str, many: str = "") -> str:
    """Say how many there are; `many` where it is not `one` with an s."""
    return f"{number} {one if number == 1 else many or one + 's'}"
