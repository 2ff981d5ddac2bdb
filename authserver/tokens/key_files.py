"""Private keys and the files they lie in: one folder, PKCS #8 (RFC 5958), never readable by anybody else."""

import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from authserver.entropy import Entropy

Key = ECKey | RSAKey | OKPKey
"""A private key, or the public part of one."""

TYPES: Mapping[str, type[Key]] = MappingProxyType(
    {"ES256": ECKey, "RS256": RSAKey, "PS256": RSAKey, "EdDSA": OKPKey, "Ed25519": OKPKey}
)
"""The kind of key that each algorithm signs with (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2)."""

_PUBLIC: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"EC": ("kty", "crv", "x", "y"), "RSA": ("kty", "n", "e"), "OKP": ("kty", "crv", "x")}
)

PEPPER_FILE = "secret-hash.key"
_PEPPER_BYTES = 32
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class KeyFileError(Exception):
    """A file that cannot be used; the text names it and says how to mend it, and holds no secret."""


def generate(alg: str) -> Key:
    """Make a key pair for `alg` with the generator of the cryptographic library.

    Its thumbprint begins with no dash: a command line would take such a `kid` for an option.
    """
    while (key := _generate(TYPES[alg])).thumbprint().startswith("-"):
        pass
    return key


def _generate(kind: type[Key]) -> Key:
    if kind is RSAKey:
        return RSAKey.generate_key(2048)
    return ECKey.generate_key("P-256") if kind is ECKey else OKPKey.generate_key("Ed25519")


def public_members(jwk: Mapping[str, Any]) -> dict[str, Any]:
    """Return the public members of a JWK and nothing else (RFC 7518 §6, RFC 8037 §2)."""
    return {name: jwk[name] for name in _PUBLIC[jwk["kty"]]}


def read_public(alg: str, jwk: Mapping[str, Any]) -> Key | None:
    """Return the public key that a JWK holds, None if it holds none for `alg`."""
    try:
        return TYPES[alg].import_key(public_members(jwk))
    except (JoseError, LookupError, TypeError, ValueError):
        return None


def write_key(folder: Path, kid: str, key: Key, passphrase: str) -> None:
    """Write a private key, durably and whole; encrypted where there is a passphrase."""
    path = folder / f"{kid}.pem"
    try:
        _create(path, key.as_pem(private=True, password=passphrase or None))
    except FileExistsError:
        raise KeyFileError(f"{path}: already exists") from None


def read_key(folder: Path, kid: str, alg: str, passphrase: str) -> Key:
    """Read a private key; a plain one is encrypted on the way where a passphrase has been set since."""
    path = folder / f"{kid}.pem"
    data = _read(path)
    encrypted = b"ENCRYPTED" in data
    if encrypted and not passphrase:
        raise KeyFileError(f"{path}: is encrypted; set keys.passphrase (AUTHSERVER_KEYS__PASSPHRASE)")
    try:
        key = TYPES[alg].import_key(data, password=passphrase if encrypted else None)
    except (JoseError, ValueError):
        why = "keys.passphrase does not open it" if encrypted else f"holds no private key for {alg}"
        raise KeyFileError(f"{path}: {why}") from None
    if not key.is_private or key.thumbprint() != kid:
        raise KeyFileError(f"{path}: holds another key than its name says")
    if passphrase and not encrypted:
        _replace(path, key.as_pem(private=True, password=passphrase))
    return key


def delete_key(folder: Path, kid: str) -> None:
    """Delete a private key's file, if it is there."""
    path = folder / f"{kid}.pem"
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be deleted ({error.strerror})") from error


def load_or_create_pepper(folder: Path, entropy: Entropy) -> bytes:
    """Return the 32 bytes under which secrets are hashed; of processes that start at once one makes them."""
    path = folder / PEPPER_FILE
    if not path.exists():
        with suppress(FileExistsError):  # another process was first: its pepper is the one
            _create(path, entropy.salt() + entropy.salt())
    pepper = _read(path)
    if len(pepper) != _PEPPER_BYTES:
        raise KeyFileError(f"{path}: must hold {_PEPPER_BYTES} bytes and holds {len(pepper)}; restore it from a backup")
    return pepper


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & _OTHERS:
                raise KeyFileError(f"{path}: others may use it (mode {mode:04o}); run: chmod 600 {path}")
            return file.read()
    except FileNotFoundError:
        raise KeyFileError(f"{path}: is missing on this machine; restore it or share the folder") from None
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be read ({error.strerror})") from error


def _create(path: Path, data: bytes) -> None:
    """Make a file appear under its name at once and whole; raise FileExistsError if it is there."""
    with _written_beside(path, data) as temporary:
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            raise
        except OSError as error:
            raise KeyFileError(f"{path}: cannot be written ({error.strerror})") from error


def _replace(path: Path, data: bytes) -> None:
    with _written_beside(path, data) as temporary:
        try:
            temporary.replace(path)
        except OSError as error:
            raise KeyFileError(f"{path}: cannot be written ({error.strerror})") from error


@contextmanager
def _written_beside(path: Path, data: bytes) -> Iterator[Path]:
    """Give a new file, opened with O_EXCL and mode 0600 and on disk; what the body names is on disk after it."""
    folder = path.parent
    temporary: Path | None = None
    try:
        _keep_private(folder)
        descriptor, name = tempfile.mkstemp(prefix=".", suffix=".new", dir=folder)
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        if temporary:
            temporary.unlink(missing_ok=True)
        raise KeyFileError(f"{path}: cannot be written ({error.strerror})") from error
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
    _sync(folder)


def _keep_private(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=stat.S_IRWXU, exist_ok=True)
    if folder.stat().st_mode & _OTHERS:
        folder.chmod(stat.S_IRWXU)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
