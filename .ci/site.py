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
docs, proc = root / "_docs", root / "_proc"
SIGNATURE = (
    76  # characters of a signature's line that a page in a window of 1,200 pixels shows
)
FILE_SEARCH = """<script>if (location.protocol === "file:") {  // a page opened as a file may not fetch the index, but may run it
  const get = window.fetch;
  window.fetch = (what, ...more) => !String(what).endsWith("search.json") ? get(what, ...more) : new Promise((done, fail) => {
    const script = document.createElement("script");
    script.src = String(what).replace(/json$/, "js");
    script.onload = () => done({ ok: true, status: 200, json: async () => window.searchEntries });
    script.onerror = fail;
    document.head.append(script);
  });
}</script>"""


class Page(HTMLParser):
    "Links, anchors, images without alternative text, captions, signatures, and the words of one page."

    def __init__(self, path):
        super().__init__()
        (
            self.path,
            self.links,
            self.ids,
            self.bare,
            self.text,
            self.skip,
            self.figures,
            self.remote,
        ) = path, [], set(), [], [], 0, 0, []
        self.captions, self.signatures, self.within = [], [], None
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if attrs.get("id"):
            self.ids.add(attrs["id"])
        if tag in ("a", "link") and attrs.get("href"):
            self.links.append(attrs["href"])
        if tag in ("img", "script") and attrs.get("src"):
            self.links.append(attrs["src"])
        self.figures += tag == "figure"
        fetched = (
            attrs.get("src")
            if tag in ("script", "img")
            else attrs.get("href")
            if tag == "link" and attrs.get("rel") == "stylesheet"
            else None
        )
        if urlsplit(fetched or "").netloc:
            self.remote.append(fetched)
        if tag == "img" and not (attrs.get("alt") or "").strip():
            self.bare.append(attrs.get("src", "")[:60])
        if tag in ("figcaption", "caption"):
            self.within = self.captions
        if (
            tag == "pre"
            and "python" in (names := (attrs.get("class") or "").split())
            and "cell-code" not in names
        ):
            self.within = self.signatures
        if self.within is not None and tag in ("figcaption", "caption", "pre"):
            self.within.append("")
        if tag in ("script", "style", "pre", "code"):
            self.skip += 1

    def handle_endtag(self, tag):
        if tag in ("script", "style", "pre", "code"):
            self.skip -= 1
        if tag in ("figcaption", "caption", "pre"):
            self.within = None

    def handle_data(self, data):
        if not self.skip:
            self.text.append(data)
        if (
            self.within is self.signatures
            or self.within is self.captions
            and not self.skip
        ):
            self.within[-1] += data


def process():
    """Let nbdev make pages of the notebooks, in _proc.

    To document what a notebook exports, nbdev runs its exported cells and every cell with an import in it, tests
    and all. The tests have been run elsewhere: here only cells that do nothing but import are run beside the exports."""
    import nbdev.processors
    from nbdev.serve import proc_nbs

    wanted = nbdev.processors._do_eval

    def only_definitions(cell):
        if not wanted(cell):
            return False
        exported = cell.directives_.keys() & {"export", "exports", "exporti", "exec_doc"}
        return (
            exported
            or nbdev.processors._is_showdoc(cell)
            or all(isinstance(t, (ast.Import, ast.ImportFrom)) for t in cell.parsed_())
        )

    nbdev.processors._do_eval = only_definitions
    os.chdir(root)
    proc_nbs(force=True, n_workers=0)
    for path in proc.rglob("*.ipynb"):
        tidy(path)


def fill(parts, room, joint):
    "Join as many parts as fit, line by line."
    lines = []
    for part in parts:
        if lines and len(lines[-1]) + len(joint) + len(part) <= room:
            lines[-1] += joint + part
        else:
            lines.append(part)
    return lines


def signature(block):
    """A signature as nbdev writes it, made readable.

    The Markdown of links and names, which code does not show, is left out; so are the modules of types; a class is called
    one; starred parameters have their stars; long lines are wrapped."""
    made = re.sub(r"\[(`?[^`\]\n]+`?)\]\(\w+:[^)\s]*\)", r"\1", block.strip("\n"))
    made = re.sub(r"\(\s*\)(?=\S)", "()", made)  # no parameters
    if " # " not in made:
        made = re.sub(r",\n +", ", ", made)
    if re.match("def [A-Z]", made):
        made = "class" + made.removeprefix("def").replace(")->None:", "):")
    lines = []
    for line in made.split("\n"):
        code, _, comment = line.partition(" # ")
        for wrong, right in (
            (r"(\w+):VAR_POSITIONAL", r"*\1"),
            (r"(\w+):VAR_KEYWORD", r"**\1"),
            (r"=<\w+>", "=..."),
            (r"\b(?:[a-z_]\w*\.)+(?=[A-Z])", ""),
        ):
            code = re.sub(wrong, right, code)
        words = comment.replace("`", "").split()
        if not words and code.startswith("    "):
            lines += [
                f"    {part}"
                for part in fill(
                    re.split(r"(?<=,) (?=\**\w+[:=])", code.strip()), SIGNATURE - 4, " "
                )
            ]
        elif not words:
            lines.append(code)
        elif (
            len(code) <= SIGNATURE // 2
            or len(code) + 3 + len(" ".join(words)) <= SIGNATURE
        ):
            first, *rest = fill(words, SIGNATURE - len(code) - 3, " ")
            lines += [
                f"{code} # {first}",
                *(f"{' ' * len(code)} # {part}" for part in rest),
            ]
        else:
            lines += [
                code,
                *(f"        # {part}" for part in fill(words, SIGNATURE - 10, " ")),
            ]
    return "\n".join(lines)


def tidy(path):
    """Mend a page's source as nbdev leaves it, for each renderer alike.

    A page is called like its notebook (nbdev would drop the number in front, and its links to functions expect that),
    and signatures hold no link."""
    site = yaml.safe_load((root / "_quarto.yml").read_text(encoding="utf-8"))["website"][
        "site-url"
    ].rstrip("/")
    names = {
        re.sub(r"/\d+[a-zA-Z0-9]*_", "/", s.with_suffix(".html").as_posix()): s
        for s in sources()
    }

    def near(found):
        source = names.get(found[1])
        return (
            os.path.relpath(proc / source, path.parent).replace(os.sep, "/")
            if source
            else found[0]
        )

    def mend(text, outputs=False):
        text = (
            re.sub(
                r"^(```python\n)(.*?)(\n```)$",
                lambda m: m[1] + signature(m[2]) + m[3],
                text,
                flags=re.S | re.M,
            )
            if outputs
            else text
        )
        text = re.sub(
            rf"\[(`_\w+`)\]\({re.escape(site)}/[^)\s]+\)", r"\1", text
        )  # what is private has no place to go to
        return re.sub(re.escape(site) + r"/([^)\s\"#]+\.html)", near, text)

    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "raw":
            cell["source"] = re.sub(
                r"^output-file:.*\n", "", "".join(cell["source"]), flags=re.M
            )
        if cell["cell_type"] == "markdown":
            cell["source"] = mend("".join(cell["source"]))
        for output in cell.get("outputs", []):
            if "text/markdown" in (data := output.get("data", {})):
                data["text/markdown"] = mend("".join(data["text/markdown"]), outputs=True)
    path.write_text(json.dumps(notebook), encoding="utf-8")


def write_math(path):
    "Write a page's LaTeX as MathML, which every browser draws without a script, and drop the script that would draw it."
    text = path.read_text(encoding="utf-8")
    made = re.sub(
        r'<span class="math (inline|display)">\\[(\[](.*?)\\[)\]]</span>',
        lambda m: convert(
            html.unescape(m[2]).strip(),
            display="block" if m[1] == "display" else "inline",
        ),
        text,
        flags=re.S,
    )
    if made == text:
        return
    made = re.sub(
        r'<link[^>]*href="https?://[^"]*katex[^"]*"[^>]*>\n?|<script[^>]*src="https?://[^"]*katex[^"]*"[^>]*></script>\n?',
        "",
        made,
        flags=re.I,
    )
    path.write_text(made, encoding="utf-8")


def write_captions(path):
    "Show code in a figure's caption as code, as Quarto does; the text is HTML already, so nothing in it needs escaping."
    text = path.read_text(encoding="utf-8")
    made = re.sub(
        r"<figcaption[^>]*>.*?</figcaption>",
        lambda m: re.sub(r"`([^`<]+)`", r"<code>\1</code>", m[0]),
        text,
        flags=re.S,
    )
    if made != text:
        path.write_text(made, encoding="utf-8")


def keep_numbers(path):
    "Mark the cells of tables that hold one number, which a browser would break after the minus of 1e-07."
    text = path.read_text(encoding="utf-8")
    made = re.sub(
        r"<td([^>]*)>(\s*[^<\s]*\d[^<\s]*\s*)</td>", r"<td\1 data-number>\2</td>", text
    )
    if made != text:
        path.write_text(made, encoding="utf-8")


def search_files():
    "Let the search box work on pages opened as files, without a server."
    if not (docs / "search.json").exists():
        return
    (docs / "search.js").write_text(
        "window.searchEntries = " + (docs / "search.json").read_text(encoding="utf-8"),
        encoding="utf-8",
    )
    for page in docs.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        page.write_text(
            text.replace("</head>", FILE_SEARCH + "</head>", 1), encoding="utf-8"
        )


def link_colab(source):
    "Below the title of a notebook's page: a link that opens the notebook where it can be run."
    path, config = (
        docs / source.with_suffix(".html"),
        yaml.safe_load((root / "_quarto.yml").read_text(encoding="utf-8"))["website"],
    )
    if not path.exists():
        return
    place = f"{urlsplit(config['repo-url']).path.strip('/')}/blob/{config['repo-branch']}/{source.as_posix()}"
    link = f'<p class="open-in"><a href="https://colab.research.google.com/github/{place}">Open in Colab</a></p>'
    before, header, after = path.read_text(encoding="utf-8").partition(
        'id="title-block-header"'
    )
    path.write_text(
        before + header + after.replace("</header>", link + "</header>", 1),
        encoding="utf-8",
    )


def build():
    "Process the notebooks and render them; returns the renderer's warnings."
    shutil.rmtree(docs, ignore_errors=True)
    process()
    if shutil.which("quarto"):
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
    home = '<!doctype html><html lang="en"><meta charset="utf-8"><title>vbig</title><meta http-equiv="refresh" content="0; url=nbs/index.html"><a href="nbs/index.html">vbig</a></html>\n'
    if not (docs / "index.html").exists():
        (docs / "index.html").write_text(home, encoding="utf-8")
    if command[0] != "quarto":
        for page in docs.rglob("*.html"):
            write_math(page)
            write_captions(page)
            keep_numbers(page)
    search_files()
    for source in sources():
        if setup(source):
            link_colab(source)
    said = [
        l
        for l in done.stderr.splitlines()
        if l.strip()
        and not any(
            known in l
            for known in (
                "output-file is not read",
                "html-math-method is ignored",
                "broken link",
            )
        )
    ]  # check() finds broken links in the pages
    return said if command[0] != "quarto" else []


def sources():
    "The notebooks that must become pages, relative to the top level."
    return sorted(
        p.relative_to(root)
        for p in (root / "nbs").rglob("*.ipynb")
        if not any(part.startswith(("_", ".")) for part in p.relative_to(root).parts)
    )


def setup(source):
    "True for a notebook with a cell that fetches what it needs on Colab."
    return "google.colab" in (root / source).read_text(encoding="utf-8")


def listed(entry):
    "Every page that the sidebar names."
    if isinstance(entry, str):
        return {entry}
    if isinstance(entry, list):
        return set().union(*map(listed, entry)) if entry else set()
    return {entry["href"]} if "href" in entry else listed(entry.get("contents", []))


def broken(page, pages):
    "The links of `page` that lead nowhere on the site."
    for link in page.links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc or link.startswith("data:"):
            continue
        target = (
            page.path
            if not parts.path
            else (
                docs / parts.path.lstrip("/")
                if parts.path.startswith("/")
                else page.path.parent / unquote(parts.path)
            ).resolve()
        )
        if target.is_dir():
            target = target / "index.html"
        if not target.exists():
            yield f"broken link to {link}"
        elif (
            parts.fragment
            and target in pages
            and unquote(parts.fragment) not in pages[target].ids
            and target.suffix == ".html"
        ):
            yield f"no such place on the page: {link}"


def captioned(source):
    "How many figures with a caption a notebook has."
    cells = json.loads((root / source).read_text(encoding="utf-8"))["cells"]
    return sum(
        "#| fig-cap" in "".join(c["source"]) for c in cells if c["cell_type"] == "code"
    )


def check():
    "All that is wrong with the built site, one line each."
    config = yaml.safe_load((root / "_quarto.yml").read_text(encoding="utf-8"))
    sidebar = listed(config["website"]["sidebar"]["contents"])
    problems = [
        f"{s}: not in the sidebar of _quarto.yml"
        for s in map(str, sources())
        if s not in sidebar
    ]
    problems += [
        f"_quarto.yml: the sidebar names {s}, which is not there"
        for s in sorted(sidebar)
        if s.endswith(".ipynb") and not (root / s).exists()
    ]
    problems += [
        f"{s}: has no page"
        for s in sources()
        if not (docs / s.with_suffix(".html")).exists()
    ]
    pages = {p.resolve(): Page(p.resolve()) for p in docs.rglob("*.html")}
    for source in sources():
        page = pages.get((docs / source.with_suffix(".html")).resolve())
        if page and not any("colab.research.google.com" in link for link in page.links):
            problems.append(
                f"{source}: no link to Colab on its page, or no cell that sets Colab up"
            )
        if page and page.figures < captioned(source):
            problems.append(
                f"{source}: {captioned(source)} captions, {page.figures} figures on its page"
            )
    for path, page in sorted(pages.items()):
        name, text = path.relative_to(docs), "".join(page.text)
        problems += [f"{name}: {p}" for p in dict.fromkeys(broken(page, pages))]
        problems += [f"{name}: image without alternative text {src}" for src in page.bare]
        problems += [f"{name}: fetched from elsewhere: {link}" for link in page.remote]
        if re.search(r"^\s*:::", text, re.M):
            problems.append(f"{name}: shows ':::'")
        if re.search(r"\\[(\[].*?\\[)\]]|\$\$", text, re.S):
            problems.append(f"{name}: shows LaTeX")
        if re.search(r"\]\([^)\s]*\.ipynb", text):
            problems.append(f"{name}: shows a link's source")
        problems += [
            f"{name}: a link's source in the signature {s.strip().splitlines()[0]}"
            for s in page.signatures
            if re.search(r"\]\(\w+:", s)
        ]
        problems += [
            f"{name}: Markdown in the caption {c.strip()[:60]!r}"
            for c in page.captions
            if "`" in c or "**" in c
        ]
        if "Traceback (most recent call last)" in path.read_text(encoding="utf-8"):
            problems.append(f"{name}: shows an error output")
    return problems


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    problems = build() + check()
    print(
        "\n".join(problems)
        if problems
        else f"{len(sources())} pages in _docs, no broken link"
    )
    sys.exit(bool(problems))
