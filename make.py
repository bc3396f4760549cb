#!/usr/bin/env python3
"""Everything that is done with this repository, each command with its own set-up in .venv.

    python3 make.py demo      train and compare models on the built-in data, write vbig-demo/report.html
    python3 make.py test      run every check and every notebook
    python3 make.py site      build the documentation site into _docs
    python3 make.py prepare   format, export modules, write README.md, clean notebooks (before a commit)
    python3 make.py execute   run notebooks in place, so that their shown outputs are fresh
    python3 make.py setup     only install what development needs

More words are handed on: `python3 make.py demo --output_dir elsewhere`, `python3 make.py test data`.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

root = Path(__file__).resolve().parent
venv = root / ".venv"
programs = venv / ("Scripts" if os.name == "nt" else "bin")
python = programs / ("python.exe" if os.name == "nt" else "python")
OLDEST = (3, 10)
NO_VENV = (
    "could not make .venv: Python's venv module is incomplete here "
    "(on Debian: apt install python3-venv)"
)


def call(*command, **env):
    "Run a command in the repository; stop with its exit code when it fails."
    words = [str(word) for word in command]
    code = subprocess.run(words, cwd=root, env={**os.environ, **env}).returncode
    if code:
        sys.exit(code)


def requirements_key():
    "A text that changes when the requirements do."
    key = hashlib.sha256()
    for name in ("settings.ini", "constraints.txt", "setup.py"):
        key.update((root / name).read_bytes())
    return key.hexdigest()


def make_venv():
    "Make an empty .venv."
    print("making .venv", flush=True)
    shutil.rmtree(venv, ignore_errors=True)
    try:
        call(sys.executable, "-m", "venv", venv)
    except SystemExit:
        sys.exit(NO_VENV)


def setup(extra=""):
    "Install vbig with what `extra` names ('' or '[dev]') into .venv, unless these very requirements are there."
    if sys.version_info < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        sys.exit(f"vbig needs Python {oldest} or newer; this is {sys.version.split()[0]}")
    stamp = venv / f"vbig-installed{extra}"
    key = requirements_key()
    if stamp.exists() and stamp.read_text() == key:
        return
    if not python.exists():
        make_venv()
    print(
        f"installing vbig{extra} into .venv (the first time takes a few minutes)",
        flush=True,
    )
    quiet = ["-q", "--disable-pip-version-check"]
    call(
        python, "-m", "pip", "install", *quiet, "-c", "constraints.txt", "-e", "." + extra
    )
    stamp.write_text(key)


def run_script(name, *words):
    "Run a script of .ci with the development requirements."
    setup("[dev]")
    call(python, f".ci/{name}.py", *words)


def demo(*words):
    setup()
    call(programs / "vbig", "demo", *words)


def test(*words):
    run_script("tests", *words)


def site(*words):
    run_script("site", *words)


def execute(*words):
    run_script("execute", *words)


def prepare(*words):
    setup("[dev]")
    ruff = programs / "ruff"
    code = ["nbs", ".ci", "make.py", "setup.py"]
    call(ruff, "check", "--quiet", "--select", "I", "--fix", *code)
    call(ruff, "format", "--quiet", *code)
    call(python, ".ci/colab.py")
    call(python, ".ci/export.py")
    call(python, ".ci/readme.py")
    call(python, "-c", "from nbdev.clean import nbdev_clean; nbdev_clean('nbs')")


commands = {
    "demo": demo,
    "test": test,
    "site": site,
    "prepare": prepare,
    "execute": execute,
    "setup": lambda: setup("[dev]"),
}

if __name__ == "__main__":
    words = sys.argv[1:]
    if words and words[0] in commands:
        commands[words[0]](*words[1:])
    else:
        print(__doc__.strip())
        if words and words[0] not in ("-h", "--help", "help"):
            sys.exit(f"\nno such command: {words[0]}")
