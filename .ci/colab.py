"""The cell with which a notebook sets Colab up.

It is written into every notebook when settings.ini names an address on GitHub.

A notebook opened on Colab stands alone: the cell fetches the repository, installs it and goes to the notebook's folder.
Without an address there is nothing to fetch, so no notebook has the cell."""

import json
import sys

from common import address, colab_address, notebooks, root, settings
from execnb.nbio import read_nb, write_nb
from fastcore.basics import AttrDict

MARK = "google.colab"
CELL = """#| hide
# fmt: off
if "google.colab" in str(get_ipython()):
    get_ipython().system("git clone --quiet --branch {branch} --depth 1 {address} {name}")
    get_ipython().run_line_magic("pip", "install --quiet -e {name}[dev]")
    get_ipython().run_line_magic("cd", "{name}/{folder}")"""


def cell_for(place):
    "The cell of a notebook; None where the repository has no address on GitHub."
    if not colab_address(place.as_posix()):
        return None
    return CELL.format(
        address=address(),
        branch=settings()["branch"],
        name=settings()["repo"],
        folder=place.parent.as_posix(),
    )


def cells_of(place):
    "The Colab cells that a notebook has."
    cells = json.loads((root / place).read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells]
    return [
        source
        for source in sources
        if MARK in source and source.startswith("#| hide\n# fmt: off\nif")
    ]


def is_in_step(place):
    "Whether a notebook has its Colab cell, or none where there should be none."
    wanted = cell_for(place)
    return cells_of(place) == ([wanted] if wanted else [])


def write(place):
    "Put a notebook's Colab cell in step with settings.ini."
    if is_in_step(place):
        return
    notebook = read_nb(root / place)
    known = cells_of(place)
    kept = [cell for cell in notebook.cells if cell.source not in known]
    wanted = cell_for(place)
    if wanted:
        cell = dict(
            cell_type="code",
            id="colab",
            metadata={},
            execution_count=None,
            outputs=[],
            source=wanted,
        )
        kept.insert(1, AttrDict(cell))
    notebook.cells = kept
    write_nb(notebook, root / place)


if __name__ == "__main__":
    for page in notebooks():
        write(page)
    sys.exit(0)
