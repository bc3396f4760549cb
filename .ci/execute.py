"""Execute notebooks in place and clean them, so that the outputs shown are those of the code shown.

What each figure shows is stored as a short text in nbs/_figures.json, which the tests compute again."""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from common import notebooks, root
from execnb.nbio import read_nb, write_nb
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbdev.clean import clean_nb
from notebook import FIGURES, is_compared, is_skipped

RECORD = """import sys
sys.path.insert(0, {folder!r})
import json
from figures import open_figures
_records = []
def _record():
    if "matplotlib.pyplot" in sys.modules:
        from figures import fingerprint
        import matplotlib.pyplot as plt
        _records.append([fingerprint(plt.figure(n)) for n in plt.get_fignums()])
    else:
        _records.append([])
    with open({file!r}, "w", encoding="utf-8") as file:
        json.dump(_records, file)
get_ipython().events.register("post_execute", _record)"""  # before matplotlib's own, which closes the figures


def is_shown(output):
    "False for progress bars and warnings: they come and go with the machine and are no part of a page."
    widget = "application/vnd.jupyter.widget-view+json" in output.get("data", {})
    return output.get("name") != "stderr" and not widget


def store_figures(place, records):
    "Put the figures of a page into nbs/_figures.json; `records` has the compared cells that draw."
    stored = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    stored.pop(str(place), None)
    if records:
        stored[str(place)] = records
    beside = FIGURES.with_suffix(".new")
    beside.write_text(
        json.dumps(stored, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )
    os.replace(beside, FIGURES)


def replace_notebook(path, notebook):
    "Write a notebook, cleaned, beside its place and then into it."
    beside = path.with_suffix(".ipynb.new")
    nbformat.write(notebook, beside)
    clean = read_nb(beside)
    clean_nb(clean)
    write_nb(clean, beside)
    os.replace(beside, path)


def execute(path):
    "Run every cell of the notebook at `path` in a fresh kernel; write it back only when all of them passed."
    path = Path(path).resolve()
    place = path.relative_to(root)
    start = time.time()
    notebook = nbformat.read(path, as_version=4)
    cells = list(notebook.cells)
    sources = [cell.source for cell in cells]
    skipped = {
        i for i, cell in enumerate(cells) if cell.cell_type == "code" and is_skipped(cell)
    }
    kept = {i: cells[i].get("outputs", []) for i in skipped}
    for i in skipped:
        cells[i].source = ""
    with tempfile.TemporaryDirectory() as folder:
        log = str(Path(folder) / "figures.json")
        first = nbformat.v4.new_code_cell(
            RECORD.format(folder=str(root / ".ci"), file=log)
        )
        notebook.cells = [first, *cells]
        resources = {"metadata": {"path": str(path.parent)}}
        client = NotebookClient(
            notebook, timeout=None, kernel_name="python3", resources=resources
        )
        try:
            client.execute()
        except CellExecutionError as error:
            print(
                f"{place}: FAILED after {time.time() - start:.0f} s\n{error}",
                file=sys.stderr,
            )
            return False
        records = json.loads(Path(log).read_text(encoding="utf-8"))
    notebook.cells = cells
    for i in skipped:
        cells[i].source = sources[i]
        cells[i].outputs = kept[i]
    executed = [
        i for i, cell in enumerate(cells) if cell.cell_type == "code" and i not in skipped
    ]
    figures = {}
    for i, drawn in zip(executed, records[-len(executed) :]):
        cells[i].outputs = [output for output in cells[i].outputs if is_shown(output)]
        if drawn and is_compared(place, cells[i]):
            figures[cells[i].id] = drawn
    notebook.metadata.pop("widgets", None)
    replace_notebook(path, notebook)
    store_figures(place, figures)
    print(f"{place}: {time.time() - start:.0f} s", flush=True)
    return True


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "notebooks", nargs="*", help="notebooks to execute (default: all under nbs/)"
    )
    paths = parser.parse_args().notebooks or [root / place for place in notebooks()]
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), before]))
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.pop("MPLBACKEND", None)  # figures are drawn by the notebook's own backend
    results = [execute(path) for path in paths]
    sys.exit(not all(results))
