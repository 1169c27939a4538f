"""Looking at files and packages without executing them, agreeing by hash, loading the very bytes."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from pipelines.errors import AgreementsNotKept
from pipelines.outside.agreements import Agreements, standing
from pipelines.outside.loading import Loaded
from pipelines.outside.sources import MAX_FILE, installed, scan
from tests.helpers.outside_nodes import HEAD, SHOUT, write


def package(folder: Path, version: str = "1.2", factor: str = "2") -> None:
    """An installed distribution with two modules, as pip leaves it."""
    code = SHOUT.replace("mine.shout", "grain.shout").replace("* params.times", "* params.times * FACTOR")
    inside = folder / "grain_of_film"
    inside.mkdir(parents=True, exist_ok=True)
    (inside / "__init__.py").write_text("", encoding="utf-8")
    (inside / "amounts.py").write_text(f"FACTOR = {factor}\n", encoding="utf-8")
    (inside / "nodes.py").write_text(
        f"{HEAD}from grain_of_film.amounts import FACTOR\n{code}\nNODES = [Shout]\n", encoding="utf-8"
    )
    meta = folder / f"grain-{version}.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: Grain\nVersion: {version}\n", encoding="utf-8"
    )
    (meta / "entry_points.txt").write_text(
        "[diptych.nodes]\ngrain = grain_of_film.nodes:NODES\n", encoding="utf-8"
    )
    names = ("__init__", "amounts", "nodes")
    (meta / "RECORD").write_text("".join(f"grain_of_film/{name}.py,,\n" for name in names), encoding="utf-8")


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of installed packages."""
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    yield tmp_path / "site"
    for name in [name for name in sys.modules if name.startswith("grain_of_film")]:
        del sys.modules[name]


def test_only_plain_python_files_of_the_folder_are_offered(tmp_path):
    nodes = tmp_path / "nodes"
    write(nodes, "mine.py", "raise SystemError('scanning must not run this')")
    for name in ("test_mine.py", "conftest.py", "_helper.py", ".hidden.py", "notes.txt"):
        write(nodes, name, "")
    (tmp_path / "secret.py").write_text("", encoding="utf-8")
    (nodes / "folder.py").mkdir()
    (nodes / "large.py").write_bytes(b"#" * (MAX_FILE + 1))
    try:
        (nodes / "link.py").symlink_to(tmp_path / "secret.py")
    except OSError:
        pytest.skip("links can't be made here")
    found = {source.name: source for source in scan(nodes, packages=False)}
    assert list(found) == ["folder.py", "large.py", "link.py", "mine.py"]
    assert [name for name, source in found.items() if source.problem is None] == ["mine.py"]
    assert found["link.py"].problem.code == "PathNotAllowed"
    assert scan(tmp_path / "nowhere", packages=False) == ()


def test_an_agreement_is_to_these_bytes(tmp_path):
    agreements = Agreements(tmp_path / "config" / "nodes.json")
    write(tmp_path, "mine.py", SHOUT)
    (source,) = scan(tmp_path, packages=False)
    assert standing(source, agreements.read()) == "new"
    agreements.agree(source.key, source.digest)
    assert standing(source, agreements.read()) == "agreed"
    write(tmp_path, "mine.py", SHOUT + "\n")
    (changed,) = scan(tmp_path, packages=False)
    assert standing(changed, agreements.read()) == "changed"
    assert agreements.withdraw(source.key)
    assert not agreements.withdraw(source.key)
    assert agreements.read() == {}


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"format": 2, "agreed": {}}', '{"format": 1, "agreed": {"file a.py": {"hash": 1}}}'],
)
def test_a_file_of_agreements_that_cannot_be_understood_agrees_to_nothing(tmp_path, text):
    path = tmp_path / "nodes.json"
    path.write_text(text, encoding="utf-8")
    assert Agreements(path).read() == {}
    path.unlink()
    path.mkdir()
    with pytest.raises(AgreementsNotKept):
        Agreements(path).agree("file a.py", "00")


def test_what_is_written_between_looking_and_loading_is_not_run(tmp_path):
    path = write(tmp_path, "mine.py", SHOUT)
    (source,) = scan(tmp_path, packages=False)
    path.write_text("raise SystemError('swapped')", encoding="utf-8")
    loaded = Loaded(source)
    loaded.load()
    assert [node.id for node in loaded.nodes] == ["mine.shout"]
    loaded.unload()


def test_a_package_is_offered_without_being_imported_and_loaded_from_the_bytes_that_were_seen(site):
    package(site)
    (source,) = [item for item in installed() if item.name == "Grain"]
    assert (source.version, len(source.code)) == ("1.2", 3)
    assert "grain_of_film" not in sys.modules
    (site / "grain_of_film" / "amounts.py").write_text("FACTOR = 999\n", encoding="utf-8")
    loaded = Loaded(source)
    loaded.load()
    (node,) = loaded.nodes
    assert node().run({"text": "a"}, node.Params(), None) == {"text": "AA."}
    assert not list(site.rglob("*.pyc"))
    loaded.unload()
    (changed,) = [item for item in installed() if item.name == "Grain"]
    assert changed.digest != source.digest


def test_a_module_that_came_later_is_refused(site):
    package(site)
    (source,) = [item for item in installed() if item.name == "Grain"]
    (site / "grain_of_film" / "late.py").write_text("", encoding="utf-8")
    loaded = Loaded(source)
    loaded.load()
    with pytest.raises(ImportError, match="agreed"):
        importlib.import_module("grain_of_film.late")
    loaded.unload()
