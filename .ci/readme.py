"Make README.md from nbs/index.ipynb: hidden cells and directives out, nbconvert's Markdown, links from the top level."

import argparse
import re
import sys
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter

root = Path(__file__).resolve().parent.parent
index, readme = root / "nbs/index.ipynb", root / "README.md"
HIDDEN = re.compile(r"^#\|\s*(hide|include:\s*false)\s*$", re.M)
NOTE = "<!-- Made from nbs/index.ipynb by `python3 make.py prepare`: edit the notebook, not this file. -->\n\n"


def shown_source(source):
    "The source of a code cell without directives; none where only its output is shown."
    if re.search(r"^#\|\s*echo:\s*false", source, re.M):
        return ""
    lines = [line for line in source.splitlines() if not line.startswith("#|")]
    return "\n".join(lines).strip()


def shown(cells):
    "The cells a reader sees, without directives; a cell with `echo: false` keeps its output only."
    for cell in cells:
        if cell.cell_type == "raw":
            continue
        if cell.cell_type == "code" and HIDDEN.search(cell.source):
            continue
        if cell.cell_type == "code":
            cell.source = shown_source(cell.source)
        yield cell


def make_readme():
    "The text of README.md."
    nb = nbformat.read(index, as_version=4)
    nb.cells = list(shown(nb.cells))
    nb.metadata["language_info"] = {"name": "python"}
    text, resources = MarkdownExporter().from_notebook_node(nb)
    if resources.get("outputs"):
        raise SystemExit(
            "nbs/index.ipynb: a figure that README.md shows must be a file that Markdown links to, not a cell's output"
        )
    text = re.sub(r"```(?:python)?\n\s*```\n", "", text)
    text = re.sub(r"\]\((?!https?:|#|mailto:)(?:\.\./)?([^)]+)\)", relinked, text)
    return NOTE + re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def relinked(match):
    "A link of Markdown as seen from the top level."
    return f"]({link(match[1])})"


def link(target):
    "`target`, relative to nbs/, as seen from the top level; a link that leads nowhere is an error."
    for candidate in ("nbs/" + target, target):
        if (root / candidate.split("#")[0]).exists():
            return candidate
    raise SystemExit(f"nbs/index.ipynb: the link to {target!r} leads nowhere")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check",
        action="store_true",
        help="only compare; exit 1 when README.md is out of step",
    )
    text = make_readme()
    if not parser.parse_args().check:
        readme.write_text(text, encoding="utf-8")
    elif readme.read_text(encoding="utf-8") != text:
        sys.exit(
            "README.md is out of step with nbs/index.ipynb: run `python3 make.py prepare`"
        )
