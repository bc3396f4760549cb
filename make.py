#!/usr/bin/env python3
"""Everything that is done with this repository, each command with its own set-up in .venv.

    python3 make.py demo      train and compare two models on the built-in data, write vbig-demo/report.html
    python3 make.py test      run every check and every notebook
    python3 make.py site      build the documentation site into _docs
    python3 make.py prepare   export modules, write README.md, clean notebooks (before a commit)
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
bin = venv / ("Scripts" if os.name == "nt" else "bin")
python = bin / ("python.exe" if os.name == "nt" else "python")
OLDEST = (3, 10)


def call(*command, quiet=False, **env):
    "Run a command in the repository; stop with its exit code when it fails."
    code = subprocess.run(
        [str(c) for c in command],
        cwd=root,
        env={**os.environ, **env},
        stdout=subprocess.DEVNULL if quiet else None,
    ).returncode
    if code:
        sys.exit(code)


def setup(extra=""):
    "Make .venv and install vbig with what `extra` names ('' or '[dev]'), unless that has been done for these very requirements."
    if sys.version_info < OLDEST:
        sys.exit(
            f"vbig needs Python {'.'.join(map(str, OLDEST))} or newer; this is {sys.version.split()[0]}"
        )
    stamp, key = venv / f"vbig-installed{extra}", hashlib.sha256()
    for name in ("settings.ini", "constraints.txt", "setup.py"):
        key.update((root / name).read_bytes())
    if stamp.exists() and stamp.read_text() == key.hexdigest():
        return
    if not python.exists():
        print("making .venv", flush=True)
        shutil.rmtree(venv, ignore_errors=True)
        try:
            call(sys.executable, "-m", "venv", venv)
        except SystemExit:
            sys.exit(
                "could not make .venv: Python's venv module is incomplete here (on Debian: apt install python3-venv)"
            )
    print(
        f"installing vbig{extra} into .venv (the first time takes a few minutes)",
        flush=True,
    )
    call(
        python,
        "-m",
        "pip",
        "install",
        "-q",
        "--disable-pip-version-check",
        "-c",
        "constraints.txt",
        "-e",
        "." + extra,
    )
    stamp.write_text(key.hexdigest())


def in_dev(script):
    "A command that runs a script of .ci with the development requirements."

    def command(*words):
        setup("[dev]")
        call(python, f".ci/{script}.py", *words)

    return command


def demo(*words):
    setup()
    call(bin / "vbig", "demo", *words)


def prepare(*words):
    setup("[dev]")
    call(python, "-c", "from nbdev.doclinks import nbdev_export; nbdev_export()")
    call(python, ".ci/readme.py")
    call(python, "-c", "from nbdev.clean import nbdev_clean; nbdev_clean('nbs')")


commands = {
    "demo": demo,
    "test": in_dev("tests"),
    "site": in_dev("site"),
    "prepare": prepare,
    "execute": in_dev("execute"),
    "setup": lambda: setup("[dev]"),
}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        print(__doc__.strip())
        sys.exit(
            0
            if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help", "help")
            else f"\nno such command: {sys.argv[1]}"
        )
    commands[sys.argv[1]](*sys.argv[2:])
