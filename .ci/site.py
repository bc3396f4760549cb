"Build the site into _docs with Quarto where it is installed, else with smalldocs, and check every page."

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from common import notebooks, root
from site_check import check
from site_html import add_colab_link, add_file_search, add_home, docs, finish_pages
from site_sources import process

EXPECTED = (
    "output-file is not read",
    "html-math-method is ignored",
    "broken link",
)  # broken links: check() finds them


def render():
    "Render _proc into _docs; returns the renderer's warnings."
    with_quarto = bool(shutil.which("quarto"))
    if with_quarto:
        command = ["quarto", "render", "_proc", "--no-execute"]
    else:
        command = [
            str(Path(sys.executable).with_name("smalldocs")),
            "render",
            "_proc",
            "--quiet",
        ]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    if not docs.exists() and (root / "_proc/_docs").exists():
        shutil.move(root / "_proc/_docs", docs)
    add_home()
    if with_quarto:
        return []
    finish_pages()
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return [line for line in lines if not any(known in line for known in EXPECTED)]


def build():
    "Make the pages; returns the renderer's warnings."
    shutil.rmtree(docs, ignore_errors=True)
    process()
    warnings = render()
    add_file_search()
    for place in notebooks():
        add_colab_link(place)
    return warnings


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    problems = build() + check()
    for problem in problems:
        print(problem)
    if not problems:
        print(f"{len(notebooks())} pages in _docs, no broken link")
    sys.exit(bool(problems))
