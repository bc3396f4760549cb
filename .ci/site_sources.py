"From notebooks to the sources of pages: nbdev's processing, readable signatures, links between pages."

import ast
import json
import os
import re

import nbdev.processors
import yaml
from common import address, notebooks, root, settings
from nbdev.serve import proc_nbs

proc = root / "_proc"
SIGNATURE_WIDTH = (
    76  # characters of a signature's line that a page in a window of 1,200 pixels shows
)
LINK_IN_LINK = re.compile(
    r"\[([^\[\]\n]*)\[(`[^`\n]+`)\]\([^)\s]+\)([^\[\]\n]*)\](\([^)\s]+\))"
)
SIGNATURE_BLOCK = re.compile(r"^(```python\n)(.*?)(\n```)$", re.S | re.M)
CLEANER_CODE = (
    (r"(\w+):VAR_POSITIONAL", r"*\1"),
    (r"(\w+):VAR_KEYWORD", r"**\1"),
    (r"=<\w+>", "=..."),
    (r"\b(?:[a-z_]\w*\.)+(?=[A-Z])", ""),  # the modules of types
)


def process():
    """Let nbdev make the sources of pages from the notebooks, in _proc.

    To document what a notebook exports, nbdev runs its exported cells and every cell with an import in it,
    tests and all. The tests have been run elsewhere: here only cells that do nothing but import are run beside
    the exports."""
    evaluates = nbdev.processors._do_eval

    def only_definitions(cell):
        if not evaluates(cell):
            return False
        if cell.directives_.keys() & {"export", "exports", "exporti", "exec_doc"}:
            return True
        if nbdev.processors._is_showdoc(cell):
            return True
        return all(
            isinstance(statement, (ast.Import, ast.ImportFrom))
            for statement in cell.parsed_()
        )

    nbdev.processors._do_eval = only_definitions
    os.chdir(root)
    proc_nbs(force=True, n_workers=0)
    for path in proc.rglob("*.ipynb"):
        tidy(path)
    add_address()


def add_address():
    "Give the site its links to source, edit and issues, where the repository has an address."
    if not address():
        return
    path = proc / "_quarto.yml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    config["website"].update(
        {
            "repo-url": address(),
            "repo-branch": settings()["branch"],
            "repo-actions": ["edit", "source", "issue"],
        }
    )
    path.write_text(
        yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8"
    )


def fill(parts, width, joint=" "):
    "Join as many parts as fit into each line."
    lines = []
    for part in parts:
        if lines and len(lines[-1]) + len(joint) + len(part) <= width:
            lines[-1] += joint + part
        else:
            lines.append(part)
    return lines


def signature_line(line):
    "One line of a signature as the lines that it takes."
    code, _, comment = line.partition(" # ")
    for wrong, right in CLEANER_CODE:
        code = re.sub(wrong, right, code)
    words = comment.replace("`", "").split()
    if not words and not code.startswith("    "):
        return [code]
    if not words:
        parameters = re.split(r"(?<=,) (?=\**\w+[:=])", code.strip())
        return [f"    {part}" for part in fill(parameters, SIGNATURE_WIDTH - 4)]
    whole = len(code) + 3 + len(" ".join(words))
    if len(code) > SIGNATURE_WIDTH // 2 and whole > SIGNATURE_WIDTH:
        return [
            code,
            *(f"        # {part}" for part in fill(words, SIGNATURE_WIDTH - 10)),
        ]
    first, *rest = fill(words, SIGNATURE_WIDTH - len(code) - 3)
    indent = " " * len(code)
    return [f"{code} # {first}", *(f"{indent} # {part}" for part in rest)]


def signature(block):
    """A signature as nbdev writes it, made readable.

    The Markdown of links and names, which code does not show, is left out; so are the modules of types; a
    class is called one; starred parameters have their stars; long lines are wrapped."""
    text = re.sub(r"\[(`?[^`\]\n]+`?)\]\(\w+:[^)\s]*\)", r"\1", block.strip("\n"))
    text = re.sub(r"\(\s*\)(?=\S)", "()", text)  # no parameters
    if " # " not in text:
        text = re.sub(r",\n +", ", ", text)
    if re.match("def [A-Z]", text):
        text = "class" + text.removeprefix("def").replace(")->None:", "):")
    return "\n".join(part for line in text.split("\n") for part in signature_line(line))


def tidy(path):
    """Mend the source of a page as nbdev leaves it, for each renderer alike.

    A page is called like its notebook (nbdev would drop the number in front, and its links to functions expect that),
    signatures hold no link, and each cell's source is a list of lines, as notebooks have it on disk."""
    start = settings()["doc_host"].rstrip("/") + settings()["doc_baseurl"].rstrip("/")
    pages = {
        re.sub(r"/\d+_", "/", place.with_suffix(".html").as_posix()): place
        for place in notebooks()
    }

    def relative(match):
        place = pages.get(match[1])
        return (
            os.path.relpath(proc / place, path.parent).replace(os.sep, "/")
            if place
            else match[0]
        )

    def mend(text):
        text = LINK_IN_LINK.sub(
            r"[\1\2\3]\4", text
        )  # nbdev links names, in the text of a link too
        text = re.sub(
            rf"\[(`_\w+`)\]\({re.escape(start)}/[^)\s]+\)", r"\1", text
        )  # what is private has no page
        text = re.sub(re.escape(start) + r"/([^)\s\"#]+\.html)", relative, text)
        if address():  # an index that was exported before the address was set lacks it
            return text.replace("[source](/blob/", f"[source]({address()}/blob/")
        return re.sub(r"\[source\]\(/?blob/[^)]*\)\{[^}]*\}", "", text)

    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "raw":
            source = re.sub(r"^output-file:.*\n", "", source, flags=re.M)
        if cell["cell_type"] == "markdown":
            source = mend(source)
        cell["source"] = source.splitlines(True)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "text/markdown" not in data:
                continue
            text = "".join(data["text/markdown"])
            text = SIGNATURE_BLOCK.sub(lambda m: m[1] + signature(m[2]) + m[3], text)
            data["text/markdown"] = mend(text).splitlines(True)
    path.write_text(json.dumps(notebook), encoding="utf-8")
