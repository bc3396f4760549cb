"""Run one notebook as a test: every cell must pass, and what is made from committed files must not change.

Of the pages in SAME, and of cells that say `#| same`, the text outputs and the contents of the figures are
compared with what is stored; a cell that shows times says `#| varies`."""

import json
import os
import re
import sys
from pathlib import Path

import execnb.shell
from common import root
from execnb.nbio import read_nb
from execnb.shell import CaptureShell
from figures import open_figures

SAME = ("nbs/paper/", "nbs/index.ipynb")  # pages that are made from committed files
FIGURES = root / "nbs/_figures.json"  # page -> cell -> fingerprints of its figures
ADDRESS = re.compile(r" at 0x[0-9a-f]+")
PICTURE = re.compile(
    r"<(Figure size|Axes:|seaborn\.)[^\n]*>"
)  # what stands for a picture that is not drawn


def directives(source):
    "The directives of a cell, as written after `#|`."
    return [line[2:].strip() for line in source.splitlines() if line.startswith("#|")]


def is_skipped(cell):
    "Whether a cell is not evaluated."
    if cell.cell_type != "code" or not cell.source.strip():
        return True
    return "eval: false" in directives(cell.source) or "nbdev_export(" in cell.source


def is_compared(place, cell):
    "Whether a cell must show what it showed."
    marks = directives(cell.source)
    if "varies" in marks:
        return False
    return "same" in marks or str(place).startswith(SAME)


def shown_text(outputs):
    "What the outputs of a cell say in words; pictures, progress bars and warnings are no part of it."
    streams, parts = [], []
    for output in outputs:
        if output.get("output_type") == "stream":
            if output.get("name") == "stdout":
                streams += output["text"]
            continue
        data = output.get("data", {})
        if any(kind.startswith("image/") for kind in data):
            continue
        kind = next(
            (k for k in ("text/html", "text/markdown", "text/plain") if k in data), None
        )
        if kind:
            parts.append("".join(data[kind]).strip())
    parts = [part for part in parts if not PICTURE.fullmatch(part)]
    text = "\n".join(["".join(streams).strip(), *parts]).strip()
    return ADDRESS.sub("", text)


def difference(place, number, before, after):
    "The first line in which two outputs differ, as a message."
    old, new = before.splitlines(), after.splitlines()
    at = next(
        (i for i, pair in enumerate(zip(old, new)) if pair[0] != pair[1]),
        min(len(old), len(new)),
    )
    stored = old[at] if at < len(old) else "(nothing)"
    made = new[at] if at < len(new) else "(nothing)"
    return (
        f"{place}, cell {number}: shows something else than is stored, from line {at + 1}\n"
        f"  stored: {stored[:300]}\n  now:    {made[:300]}\n"
        f"  right:  `python3 make.py execute {place}`, after looking at what changed"
    )


def run(place):
    "Run a notebook (a path from the top level); returns None, or what is wrong."
    path = root / place
    notebook = read_nb(path)
    stored = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    known = stored.get(str(place), {})
    execnb.shell.set_matplotlib_formats = (
        None  # no pictures: what they show is compared as data
    )
    sys.path.insert(0, str(root))
    os.chdir(path.parent)
    shell = CaptureShell(path)
    problems = []
    for number, cell in enumerate(notebook.cells):
        if is_skipped(cell):
            continue
        shell._cell_idx = number  # which cell a traceback names
        outputs = shell.run(cell.source)
        if shell.exc:
            return "\n".join([*problems, shell.prettytb(fname=path)])
        figures = open_figures() if "matplotlib.pyplot" in sys.modules else []
        if not is_compared(place, cell):
            continue
        before = shown_text(cell.get("outputs", []))
        after = shown_text(outputs)
        if before != after:
            problems.append(difference(place, number, before, after))
        if figures != known.get(cell.id, []):
            problems.append(
                f"{place}, cell {number}: draws something else than {FIGURES.relative_to(root)} says\n"
                f"  right:  `python3 make.py execute {place}`, after looking at the figure"
            )
    return "\n".join(problems) or None


if __name__ == "__main__":
    problem = run(Path(sys.argv[1]))
    if problem:
        print(problem, file=sys.stderr)
    os._exit(bool(problem))
