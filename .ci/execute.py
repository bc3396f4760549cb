"Execute notebooks in place and clean them, so that the outputs shown are those of the code shown."

import argparse
import os
import sys
import time
from pathlib import Path

import nbformat
from execnb.nbio import read_nb, write_nb
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbdev.clean import clean_nb

root = Path(__file__).resolve().parent.parent


def skips(cell):
    "True for a cell that nbdev's own runner would not evaluate."
    lines = [l.replace(" ", "") for l in cell.source.splitlines() if l.startswith("#|")]
    return "#|eval:false" in lines or "nbdev_export(" in cell.source


def shown(output):
    "False for progress bars and warnings: they come and go with the machine and are no part of a page."
    return output.get(
        "name"
    ) != "stderr" and "application/vnd.jupyter.widget-view+json" not in output.get(
        "data", {}
    )


def execute(path):
    "Run every cell of the notebook at `path` in a fresh kernel; write it back only when all of them passed."
    path = Path(path).resolve()
    nb, start = nbformat.read(path, as_version=4), time.time()
    hidden = {
        i: c.source for i, c in enumerate(nb.cells) if c.cell_type == "code" and skips(c)
    }
    kept = {i: nb.cells[i].get("outputs", []) for i in hidden}
    for i in hidden:
        nb.cells[i].source = ""
    try:
        NotebookClient(
            nb,
            timeout=None,
            kernel_name="python3",
            resources={"metadata": {"path": str(path.parent)}},
        ).execute()
    except CellExecutionError as error:
        print(
            f"{path.relative_to(root)}: FAILED after {time.time() - start:.0f} s\n{error}",
            file=sys.stderr,
        )
        return False
    for i, source in hidden.items():
        nb.cells[i].source, nb.cells[i].outputs = source, kept[i]
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if shown(o)]
    nb.metadata.pop("widgets", None)
    beside = path.with_suffix(".ipynb.new")
    nbformat.write(nb, beside)
    clean = read_nb(beside)
    clean_nb(clean)
    write_nb(clean, beside)
    os.replace(beside, path)
    print(f"{path.relative_to(root)}: {time.time() - start:.0f} s")
    return True


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "notebooks", nargs="*", help="notebooks to execute (default: all under nbs/)"
    )
    paths = parser.parse_args().notebooks or sorted(
        str(p) for p in (root / "nbs").rglob("*.ipynb")
    )
    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(root), os.environ.get("PYTHONPATH")])
    )
    sys.exit(0 if all([execute(p) for p in paths]) else 1)
