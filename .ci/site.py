"Build the site into _docs with Quarto where it is installed, else with smalldocs, and check every page."
import argparse
import ast
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml

root = Path(__file__).resolve().parent.parent
docs = root / "_docs"


class Page(HTMLParser):
    "Links, anchors, images without alternative text, and the words of one page."
    def __init__(self, path):
        super().__init__()
        self.path, self.links, self.ids, self.bare, self.text, self.skip = path, [], set(), [], [], 0
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if attrs.get("id"): self.ids.add(attrs["id"])
        if tag in ("a", "link") and attrs.get("href"): self.links.append(attrs["href"])
        if tag in ("img", "script") and attrs.get("src"): self.links.append(attrs["src"])
        if tag == "img" and not (attrs.get("alt") or "").strip(): self.bare.append(attrs.get("src", "")[:60])
        if tag in ("script", "style", "pre", "code"): self.skip += 1

    def handle_endtag(self, tag):
        if tag in ("script", "style", "pre", "code"): self.skip -= 1

    def handle_data(self, data):
        if not self.skip: self.text.append(data)


def process():
    """Let nbdev make pages of the notebooks, in _proc.

    To document what a notebook exports, nbdev runs its exported cells and every cell with an import in it, tests
    and all. The tests have been run elsewhere: here only cells that do nothing but import are run beside the exports."""
    import nbdev.processors
    from nbdev.serve import proc_nbs
    wanted = nbdev.processors._do_eval

    def only_definitions(cell):
        if not wanted(cell): return False
        exported = cell.directives_.keys() & {"export", "exports", "exporti", "exec_doc"}
        return exported or nbdev.processors._is_showdoc(cell) or all(isinstance(t, (ast.Import, ast.ImportFrom)) for t in cell.parsed_())
    nbdev.processors._do_eval = only_definitions
    os.chdir(root)
    proc_nbs(force=True, n_workers=0)


def build():
    "Process the notebooks and render them; returns the renderer's warnings."
    shutil.rmtree(docs, ignore_errors=True)
    process()
    if shutil.which("quarto"): command = ["quarto", "render", "_proc", "--no-execute"]
    else: command = [str(Path(sys.executable).with_name("smalldocs")), "render", "_proc", "--quiet"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if done.returncode: raise SystemExit(done.stdout + done.stderr)
    if not docs.exists() and (root / "_proc/_docs").exists(): shutil.move(root / "_proc/_docs", docs)
    home = '<!doctype html><html lang="en"><meta charset="utf-8"><title>vbig</title><meta http-equiv="refresh" content="0; url=nbs/index.html"><a href="nbs/index.html">vbig</a></html>\n'
    if not (docs / "index.html").exists(): (docs / "index.html").write_text(home, encoding="utf-8")
    said = [l for l in done.stderr.splitlines() if l.strip() and not any(known in l for known in ("output-file is not read", "html-math-method is ignored", "broken link"))]  # check() finds broken links in the pages
    return said if command[0] != "quarto" else []


def sources():
    "The notebooks that must become pages, relative to the top level."
    return sorted(p.relative_to(root) for p in (root / "nbs").rglob("*.ipynb")
                  if not any(part.startswith(("_", ".")) for part in p.relative_to(root).parts))


def listed(entry):
    "Every page that the sidebar names."
    if isinstance(entry, str): return {entry}
    if isinstance(entry, list): return set().union(*map(listed, entry)) if entry else set()
    return {entry["href"]} if "href" in entry else listed(entry.get("contents", []))


def broken(page, pages):
    "The links of `page` that lead nowhere on the site."
    for link in page.links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc or link.startswith("data:"): continue
        target = page.path if not parts.path else (docs / parts.path.lstrip("/") if parts.path.startswith("/") else page.path.parent / unquote(parts.path)).resolve()
        if target.is_dir(): target = target / "index.html"
        if not target.exists(): yield f"broken link to {link}"
        elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids and target.suffix == ".html":
            yield f"no such place on the page: {link}"


def check():
    "All that is wrong with the built site, one line each."
    config = yaml.safe_load((root / "_quarto.yml").read_text(encoding="utf-8"))
    sidebar = listed(config["website"]["sidebar"]["contents"])
    problems = [f"{s}: not in the sidebar of _quarto.yml" for s in map(str, sources()) if s not in sidebar]
    problems += [f"_quarto.yml: the sidebar names {s}, which is not there" for s in sorted(sidebar) if s.endswith(".ipynb") and not (root / s).exists()]
    problems += [f"{s}: has no page" for s in sources() if not (docs / s.with_suffix(".html")).exists()]
    pages = {p.resolve(): Page(p.resolve()) for p in docs.rglob("*.html")}
    for path, page in sorted(pages.items()):
        name, text = path.relative_to(docs), "".join(page.text)
        problems += [f"{name}: {p}" for p in dict.fromkeys(broken(page, pages))]
        problems += [f"{name}: image without alternative text {src}" for src in page.bare]
        if re.search(r"^\s*:::", text, re.M): problems.append(f"{name}: shows ':::'")
        if "Traceback (most recent call last)" in path.read_text(encoding="utf-8"): problems.append(f"{name}: shows an error output")
    return problems


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    problems = build() + check()
    print("\n".join(problems) if problems else f"{len(sources())} pages in _docs, no broken link")
    sys.exit(bool(problems))
