import multiprocessing
import os
import stat
from collections.abc import Iterator
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from authserver.entropy import SystemEntropy
from authserver.tokens import key_files
from authserver.tokens.key_files import PEPPER_FILE, TYPES, KeyFileError


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def _written(folder: Path, passphrase: str = "", alg: str = "ES256") -> tuple[str, Path]:
    key = key_files.generate(alg)
    kid = key.thumbprint()
    key_files.write_key(folder, kid, key, passphrase)
    return kid, folder / f"{kid}.pem"


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("open_umask")
def test_folder_and_files_are_for_their_owner_alone_whatever_the_umask(folder: Path) -> None:
    _, path = _written(folder)
    key_files.load_or_create_pepper(folder, SystemEntropy())
    assert (_mode(folder), _mode(path), _mode(folder / PEPPER_FILE)) == (0o700, 0o600, 0o600)


@pytest.mark.usefixtures("open_umask")
def test_no_file_is_readable_by_others_even_before_it_has_its_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    fsync = os.fsync

    def watch(descriptor: int) -> None:
        seen.extend(_mode(path) for path in folder.iterdir())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    _written(folder)
    key_files.load_or_create_pepper(folder, SystemEntropy())
    assert seen
    assert set(seen) == {0o600}


def test_nothing_but_the_files_is_left(folder: Path) -> None:
    _, path = _written(folder)
    key_files.load_or_create_pepper(folder, SystemEntropy())
    assert {file.name for file in folder.iterdir()} == {path.name, PEPPER_FILE}


def test_an_open_folder_is_closed(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    _written(folder)
    assert _mode(folder) == 0o700


@pytest.mark.parametrize("alg", TYPES)
@pytest.mark.parametrize("passphrase", ["", "correct horse"])
def test_a_key_comes_back_as_it_was_written(folder: Path, alg: str, passphrase: str) -> None:
    kid, _ = _written(folder, passphrase, alg)
    key = key_files.read_key(folder, kid, alg, passphrase)
    assert key.is_private
    assert key.thumbprint() == kid


def test_no_kid_looks_like_an_option_of_a_command() -> None:
    assert not [kid for kid in (key_files.generate("EdDSA").thumbprint() for _ in range(300)) if kid[0] == "-"]


def test_a_file_is_never_overwritten(folder: Path) -> None:
    kid, path = _written(folder)
    before = path.read_bytes()
    with pytest.raises(KeyFileError, match="already exists"):
        key_files.write_key(folder, kid, key_files.generate("ES256"), "")
    assert path.read_bytes() == before


def test_an_encrypted_file_is_of_no_use_without_its_passphrase(folder: Path) -> None:
    kid, path = _written(folder, "correct horse")
    assert path.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    with pytest.raises(TypeError):
        load_pem_private_key(path.read_bytes(), password=None)
    with pytest.raises(KeyFileError, match=r"is encrypted; set keys\.passphrase"):
        key_files.read_key(folder, kid, "ES256", "")
    with pytest.raises(KeyFileError, match=r"keys\.passphrase does not open it") as caught:
        key_files.read_key(folder, kid, "ES256", "battery staple")
    assert "battery" not in str(caught.value)
    assert path.name in str(caught.value)


def test_a_plain_file_is_encrypted_once_a_passphrase_is_set(folder: Path) -> None:
    kid, path = _written(folder)
    assert key_files.read_key(folder, kid, "ES256", "correct horse").thumbprint() == kid
    assert b"ENCRYPTED" in path.read_bytes()
    assert _mode(path) == 0o600
    assert key_files.read_key(folder, kid, "ES256", "correct horse").thumbprint() == kid


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_file_that_others_may_use_is_refused_by_name(folder: Path, mode: int) -> None:
    kid, path = _written(folder)
    key_files.load_or_create_pepper(folder, SystemEntropy())
    path.chmod(mode)
    (folder / PEPPER_FILE).chmod(mode)
    with pytest.raises(KeyFileError, match=rf"{path.name}: others may use it \(mode {mode:04o}\); run: chmod 600"):
        key_files.read_key(folder, kid, "ES256", "")
    with pytest.raises(KeyFileError, match=rf"{PEPPER_FILE}: others may use it"):
        key_files.load_or_create_pepper(folder, SystemEntropy())


def test_a_missing_foreign_or_broken_file_is_named(folder: Path) -> None:
    kid, path = _written(folder)
    _, other = _written(folder)
    path.write_bytes(other.read_bytes())
    with pytest.raises(KeyFileError, match=rf"{path.name}: holds another key"):
        key_files.read_key(folder, kid, "ES256", "")
    path.write_bytes(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    with pytest.raises(KeyFileError, match=rf"{path.name}: holds no private key for ES256"):
        key_files.read_key(folder, kid, "ES256", "")
    key_files.delete_key(folder, kid)
    key_files.delete_key(folder, kid)
    with pytest.raises(KeyFileError, match=rf"{path.name}: is missing"):
        key_files.read_key(folder, kid, "ES256", "")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyFileError, match=r"secret-hash\.key: cannot be written"):
        key_files.load_or_create_pepper(tmp_path / "file" / "keys", SystemEntropy())


def test_the_pepper_is_made_once(folder: Path) -> None:
    pepper = key_files.load_or_create_pepper(folder, SystemEntropy())
    assert len(pepper) == 32
    assert key_files.load_or_create_pepper(folder, SystemEntropy()) == pepper


def test_a_cut_pepper_is_refused_rather_than_replaced(folder: Path) -> None:
    key_files.load_or_create_pepper(folder, SystemEntropy())
    (folder / PEPPER_FILE).write_bytes(b"short")
    with pytest.raises(KeyFileError, match="must hold 32 bytes and holds 5"):
        key_files.load_or_create_pepper(folder, SystemEntropy())


def _make_pepper(folder: Path, start: Barrier, results: "multiprocessing.Queue[bytes]") -> None:
    start.wait(30)
    results.put(key_files.load_or_create_pepper(folder, SystemEntropy()))


def test_processes_that_make_the_pepper_at_once_agree(folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    count = 4
    start, results = context.Barrier(count), context.Queue()
    processes = [context.Process(target=_make_pepper, args=(folder, start, results)) for _ in range(count)]
    for process in processes:
        process.start()
    peppers = {results.get(timeout=30) for _ in processes}
    for process in processes:
        process.join(30)
        process.close()
    results.close()
    results.join_thread()
    assert peppers == {(folder / PEPPER_FILE).read_bytes()}
