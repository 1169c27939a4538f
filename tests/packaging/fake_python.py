"""Plays the environment's Python in tests: a pip that installs empty packages, ``venv``, an echoing Diptych.

It notes every call in ``calls.jsonl`` beside the environment. The file ``plan.json`` there names what goes
wrong: a list of ``{"when": word, "do": action, "times": n}``; ``when`` must be among the arguments.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path

CARD_PACKAGES = ("nvidia_cublas-13.1", "triton-3.8")


def main(root: Path, arguments: list[str]) -> int:
    """One call of the fake interpreter; ``root`` is the checkout."""
    with (root / "calls.jsonl").open("a", encoding="utf-8") as calls:
        calls.write(json.dumps(arguments) + "\n")
    action = planned(root, arguments)
    if action == "hang":
        print("Installing collected packages: torch, numpy", flush=True)
        (root / "hanging").touch()
        time.sleep(60)
    if action == "break":
        print("Installing collected packages: torch, numpy", flush=True)
        print("ERROR: [Errno 28] No space left on device")
        return 1
    if action == "offline":
        print("WARNING: Retrying: Failed to establish a new connection: name resolution failed")
        print("ERROR: No matching distribution found for it")
        return 1
    if action == "none":
        print("ERROR: No matching distribution found for torch==2.14.1")
        return 1
    if action == "fail":
        print("it failed")
        return 1
    match arguments[1:3]:
        case ["-m", "venv"]:
            make_environment(root)
            return 0
        case ["-m", "pip"]:
            return pip(root, arguments[3:])
        case ["-c", _]:
            print(Path(os.environ["DIPTYCH_HOME"]) / "data")
            return 0
        case ["-m", "pipelines.language.prepare"]:
            target = Path(arguments[4])
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(arguments[3], target / "model.safetensors")
            (target / "config.json").write_text("{}")
            return 0
        case ["-m", "pipelines.cli"]:
            print(json.dumps(arguments[3:]))
            return 7 if "fails" in arguments else 0
    print(" ".join(arguments[2:]))
    return 0


def planned(root: Path, arguments: list[str]) -> str:
    """The next planned fault for these arguments, used up by this."""
    file = root / "plan.json"
    plan = json.loads(file.read_text()) if file.exists() else []
    for fault in plan:
        if fault["times"] > 0 and fault["when"] in arguments:
            fault["times"] -= 1
            file.write_text(json.dumps(plan))
            return str(fault["do"])
    return ""


def make_environment(root: Path) -> None:
    """What ``venv`` leaves behind."""
    environment = root / ".venv"
    (environment / "bin").mkdir(parents=True, exist_ok=True)
    python = environment / "bin" / "python"
    python.write_text(
        f"#!{sys.executable} -SE\nimport sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
    )
    with python.open("a") as file:
        file.write("from pathlib import Path\nfrom fake_python import main\n")
        file.write(f"sys.exit(main(Path({str(root)!r}), sys.argv[1:]))\n")
    python.chmod(0o755)
    (environment / "pyvenv.cfg").write_text("home = /somewhere\nversion = 3.11.7\n")
    (environment / "lib" / "python3.11" / "site-packages").mkdir(parents=True, exist_ok=True)


def pip(root: Path, arguments: list[str]) -> int:
    """``pip``, for the few words the set-up uses."""
    packages = root / ".venv" / "lib" / "python3.11" / "site-packages"
    match arguments[0]:
        case "--version":
            print("pip 26.3 from nowhere (python 3.11)")
        case "download":
            wheel = root / "wheel.whl"
            shutil.copyfile(
                wheel, Path(arguments[arguments.index("--dest") + 1]) / "some_model-1.0-py3-none-any.whl"
            )
        case "uninstall":
            for entry in packages.iterdir():
                name = entry.name.partition("-")[0].replace("_", "-")
                if name in arguments:
                    shutil.rmtree(entry)
        case "install" if "-e" in arguments:
            print("Installing collected packages: transformers, diptych-studio", flush=True)
            (packages / "transformers-5.23.0.dist-info").mkdir(exist_ok=True)
        case "install":
            install_torch(packages, arguments)
    return 0


def install_torch(packages: Path, arguments: list[str]) -> None:
    """torch in the build the index address ends with; without an address, the CUDA build."""
    index = arguments[arguments.index("--index-url") + 1] if "--index-url" in arguments else "cu130"
    cuda = "'13.0'" if "cu1" in index else "None"
    hip = "'7.1'" if "rocm" in index else "None"
    (packages / "torch").mkdir(exist_ok=True)
    (packages / "torch" / "version.py").write_text(
        f"__version__ = '2.14.1'\ncuda: Optional[str] = {cuda}\nhip: Optional[str] = {hip}\n"
    )
    for name in ("torch-2.14.1", "torchvision-0.29.1", *(CARD_PACKAGES if "cu1" in index else ())):
        (packages / f"{name}.dist-info").mkdir(exist_ok=True)
    print("  Downloading torch-2.14.1-cp311-cp311-linux_x86_64.whl (554.6 MB)")
    print("Progress 1000000 of 554600000")
    print("Installing collected packages: torch, torchvision")
    print("Successfully installed torch-2.14.1 torchvision-0.29.1")
