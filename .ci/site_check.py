"All that can be wrong with a built site."

import json
import re
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import yaml
from common import address, colab_address, notebooks, root

docs = root / "_docs"
SHOWN = {  # what a page must not show -> how to find it in its text
    "':::'": re.compile(r"^\s*:::", re.M),
    "LaTeX": re.compile(r"\\[(\[].*?\\[)\]]|\$\$", re.S),
    "a link's source": re.compile(r"\]\([^)\s]*\.ipynb"),
}
HIDDEN_TAGS = ("script", "style", "pre", "code")  # their text is not the page's own
HELD_TAGS = ("figcaption", "caption", "pre")  # their text is kept apart


class Page(HTMLParser):
    "Links, anchors, images without alternative text, captions, signatures, and the words of one page."

    def __init__(self, path):
        super().__init__()
        self.path = path
        self.links = []
        self.ids = set()
        self.images_without_text = []
        self.remote = []
        self.words = []
        self.captions = []
        self.signatures = []
        self.figures = 0
        self.hidden = 0
        self.held = None  # the list whose last text is being read
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if attributes.get("id"):
            self.ids.add(attributes["id"])
        self.figures += tag == "figure"
        self.read_links(tag, attributes)
        if tag == "img" and not (attributes.get("alt") or "").strip():
            self.images_without_text.append(attributes.get("src", "")[:60])
        classes = (attributes.get("class") or "").split()
        if tag in ("figcaption", "caption"):
            self.held = self.captions
        if tag == "pre" and "python" in classes and "cell-code" not in classes:
            self.held = self.signatures
        if self.held is not None and tag in HELD_TAGS:
            self.held.append("")
        if tag in HIDDEN_TAGS:
            self.hidden += 1

    def read_links(self, tag, attributes):
        "Note where a tag leads, and what it fetches from elsewhere."
        reference = attributes.get("href") if tag in ("a", "link") else None
        source = attributes.get("src") if tag in ("img", "script") else None
        self.links += [link for link in (reference, source) if link]
        fetched = source
        if tag == "link" and attributes.get("rel") == "stylesheet":
            fetched = reference
        if urlsplit(fetched or "").netloc:
            self.remote.append(fetched)

    def handle_endtag(self, tag):
        if tag in HIDDEN_TAGS:
            self.hidden -= 1
        if tag in HELD_TAGS:
            self.held = None

    def handle_data(self, data):
        if not self.hidden:
            self.words.append(data)
        if self.held is self.signatures or (
            self.held is self.captions and not self.hidden
        ):
            self.held[-1] += data


def listed(entry):
    "Every page that a part of the sidebar names."
    if isinstance(entry, str):
        return {entry}
    if isinstance(entry, list):
        return {page for part in entry for page in listed(part)}
    return {entry["href"]} if "href" in entry else listed(entry.get("contents", []))


def broken_links(page, pages):
    "The links of a page that lead nowhere on the site."
    for link in dict.fromkeys(page.links):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = page.path
        if parts.path.startswith("/"):
            target = (docs / parts.path.lstrip("/")).resolve()
        elif parts.path:
            target = (page.path.parent / unquote(parts.path)).resolve()
        if target.is_dir():
            target = target / "index.html"
        if not target.exists():
            yield f"broken link to {link}"
        elif (
            parts.fragment
            and target in pages
            and unquote(parts.fragment) not in pages[target].ids
        ):
            yield f"no such place on the page: {link}"


def captions_of(place):
    "How many figures with a caption a notebook has."
    cells = json.loads((root / place).read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return sum("#| fig-cap" in source for source in sources)


def sidebar_problems():
    "Pages that the sidebar lacks, and names in it that are no page."
    config = yaml.safe_load((root / "_quarto.yml").read_text(encoding="utf-8"))
    named = listed(config["website"]["sidebar"]["contents"])
    for place in notebooks():
        if str(place) not in named:
            yield f"{place}: not in the sidebar of _quarto.yml"
    for name in sorted(named):
        if not (root / name).exists():
            yield f"_quarto.yml: the sidebar names {name}, which is not there"


def notebook_problems(place, pages):
    "What the page of a notebook lacks."
    page = pages.get((docs / place.with_suffix(".html")).resolve())
    if page is None:
        yield f"{place}: has no page"
        return
    expected = captions_of(place)
    if page.figures < expected:
        yield f"{place}: {expected} captions, {page.figures} figures on its page"
    colab = [link for link in page.links if "colab.research.google.com" in link]
    wanted = colab_address(place.as_posix())
    if wanted and wanted not in colab:
        yield f"{place}: no link to {wanted}"
    if colab and not wanted:
        yield f"{place}: a link to Colab, but settings.ini names no address there"
    if address() and not any(link.startswith(address()) for link in page.links):
        yield f"{place}: no link to {address()}"


def page_problems(page, pages):
    "What is wrong on one page."
    yield from broken_links(page, pages)
    yield from (
        f"image without alternative text {source}" for source in page.images_without_text
    )
    yield from (f"fetched from elsewhere: {link}" for link in page.remote)
    text = "".join(page.words)
    yield from (
        f"shows {what}" for what, pattern in SHOWN.items() if pattern.search(text)
    )
    for signature in page.signatures:
        if re.search(r"\]\(\w+:", signature):
            yield f"a link's source in the signature {signature.strip().splitlines()[0]}"
    for caption in page.captions:
        if "`" in caption or "**" in caption:
            yield f"Markdown in the caption {caption.strip()[:60]!r}"
    source = page.path.read_text(encoding="utf-8")
    if "Traceback (most recent call last)" in source:
        yield "shows an error output"
    if "pages.invalid" in source or 'href="/blob/' in source:
        yield "a link to an address that is not there"


def source_problems():
    "Cells of processed notebooks whose source is one text: Quarto would join its lines."
    for path in sorted((root / "_proc").rglob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        if any(isinstance(cell["source"], str) for cell in cells):
            yield f"{path.relative_to(root)}: a cell's source is one text, and must be a list of lines"


def check():
    "All that is wrong with the built site, one line each."
    pages = {
        path.resolve(): Page(path.resolve()) for path in sorted(docs.rglob("*.html"))
    }
    problems = [*sidebar_problems(), *source_problems()]
    for place in notebooks():
        problems += notebook_problems(place, pages)
    for path, page in pages.items():
        name = path.relative_to(docs.resolve())
        problems += [f"{name}: {problem}" for problem in page_problems(page, pages)]
    return problems
