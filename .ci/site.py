"Build the site into _docs with Quarto where it is installed, else with smalldocs, and check every page."
import argparse
import ast
import html
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from latex2mathml.converter import convert

root = Path(__file__).resolve().parent.parent
docs = root / "_docs"


class Page(HTMLParser):
    "Links, anchors, images without alternative text, and the words of one page."
    def __init__(self, path):
        super().__init__()
        self.path, self.links, self.ids, self.bare, self.text, self.skip, self.figures, self.remote = path, [], set(), [], [], 0, 0, []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if attrs.get("id"): self.ids.add(attrs["id"])
        if tag in ("a", "link") and attrs.get("href"): self.links.append(attrs["href"])
        if tag in ("img", "script") and attrs.get("src"): self.links.append(attrs["src"])
        self.figures += tag == "figure"
        fetched = attrs.get("src") if tag in ("script", "img") else attrs.get("href") if tag == "link" and attrs.get("rel") == "stylesheet" else None
        if urlsplit(fetched or "").netloc: self.remote.append(fetched)
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


def write_math(path):
    "Write a page's LaTeX as MathML, which every browser draws without a script, and drop the script that would draw it."
    text = path.read_text(encoding="utf-8")
    made = re.sub(r'<span class="math (inline|display)">\\[(\[](.*?)\\[)\]]</span>',
                  lambda m: convert(html.unescape(m[2]).strip(), display="block" if m[1] == "display" else "inline"), text, flags=re.S)
    if made == text: return
    made = re.sub(r'<link[^>]*href="https?://[^"]*katex[^"]*"[^>]*>\n?|<script[^>]*src="https?://[^"]*katex[^"]*"[^>]*></script>\n?', "", made, flags=re.I)
    path.write_text(made, encoding="utf-8")


def link_colab(source):
    "Below the title of a notebook's page: a link that opens the notebook where it can be run."
    path, config = docs / source.with_suffix(".html"), yaml.safe_load((root / "_quarto.yml").read_text(encoding="utf-8"))["website"]
    if not path.exists(): return
    place = f"{urlsplit(config['repo-url']).path.strip('/')}/blob/{config['repo-branch']}/{source.as_posix()}"
    link = f'<p class="open-in"><a href="https://colab.research.google.com/github/{place}">Open in Colab</a></p>'
    before, header, after = path.read_text(encoding="utf-8").partition('id="title-block-header"')
    path.write_text(before + header + after.replace("</header>", link + "</header>", 1), encoding="utf-8")


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
    if command[0] != "quarto":
        for page in docs.rglob("*.html"): write_math(page)
    for source in sources():
        if setup(source): link_colab(source)
    said = [l for l in done.stderr.splitlines() if l.strip() and not any(known in l for known in ("output-file is not read", "html-math-method is ignored", "broken link"))]  # check() finds broken links in the pages
    return said if command[0] != "quarto" else []


def sources():
    "The notebooks that must become pages, relative to the top level."
    return sorted(p.relative_to(root) for p in (root / "nbs").rglob("*.ipynb")
                  if not any(part.startswith(("_", ".")) for part in p.relative_to(root).parts))


def setup(source):
    "True for a notebook with a cell that fetches what it needs on Colab."
    return "google.colab" in (root / source).read_text(encoding="utf-8")


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


def captioned(source):
    "How many figures with a caption a notebook has."
    cells = json.loads((root / source).read_text(encoding="utf-8"))["cells"]
    return sum("#| fig-cap" in "".join(c["source"]) for c in cells if c["cell_type"] == "code")


def check():
    "All that is wrong with the built site, one line each."
    config = yaml.safe_load((root / "_quarto.yml").read_text(encoding="utf-8"))
    sidebar = listed(config["website"]["sidebar"]["contents"])
    problems = [f"{s}: not in the sidebar of _quarto.yml" for s in map(str, sources()) if s not in sidebar]
    problems += [f"_quarto.yml: the sidebar names {s}, which is not there" for s in sorted(sidebar) if s.endswith(".ipynb") and not (root / s).exists()]
    problems += [f"{s}: has no page" for s in sources() if not (docs / s.with_suffix(".html")).exists()]
    pages = {p.resolve(): Page(p.resolve()) for p in docs.rglob("*.html")}
    for source in sources():
        page = pages.get((docs / source.with_suffix(".html")).resolve())
        if page and source.name != "index.ipynb" and not any("colab.research.google.com" in link for link in page.links): problems.append(f"{source}: no link to Colab on its page, or no cell that sets Colab up")
        if page and page.figures < captioned(source): problems.append(f"{source}: {captioned(source)} captions, {page.figures} figures on its page")
    for path, page in sorted(pages.items()):
        name, text = path.relative_to(docs), "".join(page.text)
        problems += [f"{name}: {p}" for p in dict.fromkeys(broken(page, pages))]
        problems += [f"{name}: image without alternative text {src}" for src in page.bare]
        problems += [f"{name}: fetched from elsewhere: {link}" for link in page.remote]
        if re.search(r"^\s*:::", text, re.M): problems.append(f"{name}: shows ':::'")
        if re.search(r"\\[(\[].*?\\[)\]]|\$\$", text, re.S): problems.append(f"{name}: shows LaTeX")
        if re.search(r"\]\([^)\s]*\.ipynb", text): problems.append(f"{name}: shows a link's source")
        if "Traceback (most recent call last)" in path.read_text(encoding="utf-8"): problems.append(f"{name}: shows an error output")
    return problems


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    problems = build() + check()
    print("\n".join(problems) if problems else f"{len(sources())} pages in _docs, no broken link")
    sys.exit(bool(problems))
