import gzip
import io
import shutil
import subprocess
import tarfile

import pytest

from fairseq_samu.data.corpora import packages
from fairseq_samu.data.corpora.copyrights import credits_of, licence_texts, parse_copyright
from fairseq_samu.errors import ConfigError

COPYRIGHT = """\
Format: http://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: 2003, A Voice
Comment: The CREDITS file:
 Recorded by:
 A Voice
 .
 With help.
License: CC-BY-SA-3.0

Files: debian/*
Copyright: 2010, A Packager
License: GPL-2+
 Short notice.

License: CC-BY-SA-3.0
 First line.
 .
 Second line.
"""


def make_deb(path, name, content, compression="gz"):
    """Write a Debian package: an ar archive of a version, control and data (deb(5))."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{compression}") as tar:
        info = tarfile.TarInfo(f"./{name}")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    members = [("debian-binary", b"2.0\n"), ("control.tar.gz", b"odd"), (f"data.tar.{compression}", buffer.getvalue())]
    archive = b"!<arch>\n"
    for member, data in members:
        archive += (
            f"{member:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
        )
    path.write_bytes(archive)
    return path


@pytest.mark.parametrize("compression", ["gz", "xz"])
def test_packages_unpack_without_dpkg(tmp_path, monkeypatch, compression):
    make_deb(tmp_path / "pkg_1_all.deb", "usr/share/doc/pkg/a.txt", b"text", compression)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    tree = packages.unpack_packages(tmp_path, ["pkg", "absent"], tmp_path / "tree")
    assert (tree / "usr/share/doc/pkg/a.txt").read_bytes() == b"text"
    assert packages.read_document(tree, "pkg", "a.txt") == "text"


def test_a_member_that_leads_outside_is_refused(tmp_path, monkeypatch):
    make_deb(tmp_path / "pkg_1_all.deb", "../outside.txt", b"text")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ConfigError, match="pkg_1_all"):
        packages.unpack_packages(tmp_path, ["pkg"], tmp_path / "tree")
    assert not (tmp_path / "outside.txt").exists()


@pytest.mark.parametrize("keep", [0, 3, 70, 150])
@pytest.mark.parametrize("dpkg", [True, False])
def test_damaged_packages_are_named(tmp_path, monkeypatch, keep, dpkg):
    path = make_deb(tmp_path / "pkg_1_all.deb", "a.txt", b"text")
    path.write_bytes(path.read_bytes()[:keep])
    if not dpkg:
        monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ConfigError, match="pkg_1_all"):
        packages.unpack_packages(tmp_path, ["pkg"], tmp_path / "tree")


def test_a_folder_without_packages_is_the_tree(tmp_path):
    assert packages.unpack_packages(tmp_path, ["pkg"], tmp_path / "tree") == tmp_path
    with pytest.raises(ConfigError, match="--source"):
        packages.unpack_packages(tmp_path / "nowhere", ["pkg"], tmp_path / "tree")


def test_only_missing_packages_are_fetched(tmp_path, monkeypatch):
    (tmp_path / "one_1_all.deb").write_bytes(b"")
    calls = []

    def fetch(command, **options):
        calls.append((command, options["cwd"]))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(subprocess, "run", fetch)
    assert packages.fetch_packages(["one", "two"], tmp_path) == tmp_path
    assert calls == [(["apt-get", "download", "two"], tmp_path)]
    packages.fetch_packages(["one"], tmp_path)
    assert len(calls) == 1


def test_absent_or_failing_apt_is_explained(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ConfigError, match=r"apt-get.*missing.*two.*--source"):
        packages.fetch_packages(["two"], tmp_path)
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/apt-get")
    failed = subprocess.CompletedProcess([], 100, "", "E: Unable to locate package two")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(ConfigError, match="Unable to locate package two"):
        packages.fetch_packages(["two"], tmp_path)


def test_documents_may_be_compressed(tmp_path, write_text):
    folder = tmp_path / "x/usr/share/doc/pkg"
    write_text(folder / "copyright", "\ufeffplain")
    (folder / "list.txt.gz").write_bytes(gzip.compress("é".encode()))
    assert packages.read_document(tmp_path, "pkg", "copyright") == "plain"
    assert packages.read_document(tmp_path, "pkg", "list.txt") == "é"
    assert packages.read_document(tmp_path, "pkg", "none") is None


def test_licences_and_credits_come_from_the_copyright_file():
    paragraphs = parse_copyright(COPYRIGHT)
    text = licence_texts(paragraphs, ["CC-BY-SA-3.0", "CC-BY-3.0"])
    assert "First line.\n\nSecond line." in text
    assert "Short notice" not in text
    credits = credits_of(paragraphs, "*")
    assert credits.startswith("Copyright 2003, A Voice\nThe CREDITS file:\nRecorded by:\nA Voice\n\nWith help.")
    assert credits_of(paragraphs, "fr-*") == ""
