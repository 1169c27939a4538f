"""What the plan of the house forbids: imports that reach back, sockets, pickles, evaluated text, hidden
folders."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = ("pipelines", "studio", "packaging")
HEAVY = {"torch", "torchvision", "transformers", "diffusers", "accelerate", "bitsandbytes"}
NEVER = {
    "pickle",
    "dill",
    "shelve",
    "marshal",
    "cloudpickle",
    "joblib",
    "socket",
    "socketserver",
    "http.server",
}
EXECUTING = {"exec_module", "module_from_spec", "spec_from_loader", "spec_from_file_location", "run_path"}
"""What makes code of a file or of bytes."""
NODES_FROM_OUTSIDE = Path("pipelines/outside/loading.py")
"""The one exception: nodes that the user agreed to, as the very bytes that were agreed to, in the engine."""
MAY_CONNECT = Path("pipelines/models/download/addresses.py")
"""The one module that may reach for the network. What it may take from the socket module can't listen without
the methods below."""
CONNECTING = {"socket", "create_connection", "getaddrinfo", "IPPROTO_TCP", "SHUT_RDWR"}
LISTENING_METHODS = {"bind", "listen", "accept"}
LISTENING = {"QLocalServer", "QTcpServer", "SharedMemory", "BaseManager", "SyncManager"}


def sources(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno


def test_pipelines_knows_no_window():
    found = [
        f"{path}:{line}"
        for path, tree in sources("pipelines")
        for name, line in imports(tree)
        if name.split(".")[0] in ("PySide6", "shiboken6")
        or (name.startswith("studio") and path.name != "studio.py")
    ]
    assert not found


@pytest.mark.parametrize("base", ["pipelines/models", "pipelines/diffusion"])
def test_rooms_import_one_another_one_way(base):
    """As they are loaded: indented imports, within functions or for types alone, don't count."""
    pattern = re.compile(rf"^from {base.replace('/', '[.]')}[.](\w+)", re.MULTILINE)
    rooms = [path for path in (ROOT / base).iterdir() if path.is_dir() and path.name != "__pycache__"]
    names = {path.name for path in rooms}
    imported: dict[str, set[str]] = {name: set() for name in names}
    for room in rooms:
        for path in room.glob("*.py"):
            imported[room.name] |= names.intersection(pattern.findall(path.read_text(encoding="utf-8")))
    order = TopologicalSorter({room: others - {room} for room, others in imported.items()})
    assert len(list(order.static_order())) == len(rooms) > 5


def test_the_studio_never_imports_what_computes():
    found = [
        f"{path}:{line} {name}"
        for path, tree in sources("studio")
        for name, line in imports(tree)
        if name.split(".")[0] in HEAVY
    ]
    assert not found


def test_nothing_pickles_listens_or_evaluates():
    found = []
    for path, tree in sources(*PRODUCT):
        found += [
            f"{path}:{line} {name}"
            for name, line in imports(tree)
            if name in NEVER and (path != MAY_CONNECT or name != "socket")
        ]
        for node in ast.walk(tree):
            if path == MAY_CONNECT and isinstance(node, ast.ImportFrom) and node.module == "socket":
                found += [alias.name for alias in node.names if alias.name not in CONNECTING]
            if path == MAY_CONNECT and isinstance(node, ast.Attribute) and node.attr in LISTENING_METHODS:
                found.append(f"{path}:{node.lineno} {node.attr}")
            name = (
                node.id
                if isinstance(node, ast.Name)
                else node.attr
                if isinstance(node, ast.Attribute)
                else ""
            )
            if name in LISTENING:
                found.append(f"{path}:{node.lineno} {name}")
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("eval", "exec")
            ):
                found.append(f"{path}:{node.lineno} {node.func.id}")
            risky = isinstance(node, ast.keyword) and node.arg in (
                "trust_remote_code",
                "allow_pickle",
                "shell",
            )
            if risky and not (isinstance(node.value, ast.Constant) and node.value.value is False):
                found.append(f"{path}:{node.value.lineno} {node.arg}")
    assert not found


def test_code_from_outside_is_executed_in_one_place_which_the_studio_does_not_know():
    found = []
    for path, tree in sources(*PRODUCT):
        for node in ast.walk(tree):
            name = getattr(node, "id", getattr(node, "attr", getattr(node, "name", None)))
            if name in EXECUTING and path != NODES_FROM_OUTSIDE:
                found.append(f"{path}:{getattr(node, 'lineno', '?')} {name}")
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "compile":
                found.append(f"{path}:{node.lineno} compile")
    known = ("pipelines.outside.loading", "pipelines.outside.library", "pipelines.engine.outside")
    found += [
        f"{path}:{line} {name}"
        for path, tree in sources("studio")
        for name, line in imports(tree)
        if name in known
    ]
    assert not found


def test_no_registry_address_and_no_path_of_a_machine_is_written_anywhere():
    pattern = re.compile(r"pypi\.org|download\.pytorch|pythonhosted|/root/|/home/\w+/|C:\\\\Users")
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    texts = [
        name for name in listed if name.endswith((".py", ".toml", ".md", ".json", ".txt", ".run", ".svg"))
    ]
    found = [
        name
        for name in texts
        if name != "tests/test_house.py"
        and (ROOT / name).exists()
        and (ROOT / name).stat().st_size < 500_000
        and pattern.search((ROOT / name).read_text(encoding="utf-8", errors="replace"))
    ]
    assert not found


def test_packaging_is_a_plain_folder():
    assert not (ROOT / "packaging" / "__init__.py").exists()


@pytest.mark.parametrize(
    "module", ["studio.app", "pipelines.nodes", "pipelines.engine.client", "pipelines.cli.main"]
)
def test_importing_it_imports_nothing_heavy(module):
    code = f"import sys, {module}; print(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_folder_says_what_lives_there():
    missing = []
    for folder in ("pipelines", "studio"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_dir() and path.name != "__pycache__" and any(path.glob("*.py")):
                start = path / "__init__.py"
                if not start.exists() or not ast.get_docstring(ast.parse(start.read_text(encoding="utf-8"))):
                    missing.append(str(path.relative_to(ROOT)))
    assert not missing
