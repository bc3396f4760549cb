"What the renderers leave to be done: formulas, captions, numbers, search without a server, links to Colab."

import html
import re

from common import colab_address, root
from latex2mathml.converter import convert

docs = root / "_docs"
MATH = re.compile(r'<span class="math (inline|display)">\\[(\[](.*?)\\[)\]]</span>', re.S)
KATEX = re.compile(
    r'<link[^>]*href="https?://[^"]*katex[^"]*"[^>]*>\n?'
    r'|<script[^>]*src="https?://[^"]*katex[^"]*"[^>]*></script>\n?',
    re.I,
)
CAPTION = re.compile(r"<figcaption[^>]*>.*?</figcaption>", re.S)
NUMBER = re.compile(r"<td([^>]*)>(\s*[^<\s]*\d[^<\s]*\s*)</td>")
HOME = """<!doctype html><html lang="en"><meta charset="utf-8"><title>vbig</title>\
<meta http-equiv="refresh" content="0; url=nbs/index.html"><a href="nbs/index.html">vbig</a></html>
"""
FILE_SEARCH = """<script>
if (location.protocol === "file:") {  // a page opened as a file may not fetch the index, but may run it
  const get = window.fetch;
  const load = (address) => new Promise((done, fail) => {
    const script = document.createElement("script");
    script.src = address.replace(/json$/, "js");
    script.onload = () => done({ ok: true, status: 200, json: async () => window.searchEntries });
    script.onerror = fail;
    document.head.append(script);
  });
  window.fetch = (what, ...more) =>
    String(what).endsWith("search.json") ? load(String(what)) : get(what, ...more);
}
</script>"""


def as_mathml(match):
    "A formula as MathML, which every browser draws without a script."
    display = "block" if match[1] == "display" else "inline"
    return convert(html.unescape(match[2]).strip(), display=display)


def code_in_caption(match):
    "A caption with its code as code, as Quarto does; the text is HTML already, so nothing in it needs escaping."
    return re.sub(r"`([^`<]+)`", r"<code>\1</code>", match[0])


def finish_page(text):
    "A page of the offline renderer with what Quarto would have done."
    with_math = MATH.sub(as_mathml, text)
    if with_math != text:
        text = KATEX.sub("", with_math)
    text = CAPTION.sub(code_in_caption, text)
    return NUMBER.sub(
        r"<td\1 data-number>\2</td>", text
    )  # a browser would break 1e-07 after its minus


def finish_pages():
    "Finish all pages of the offline renderer."
    for page in docs.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        finished = finish_page(text)
        if finished != text:
            page.write_text(finished, encoding="utf-8")


def add_home():
    "Let the site's top folder lead to the home page."
    if not (docs / "index.html").exists():
        (docs / "index.html").write_text(HOME, encoding="utf-8")


def add_file_search():
    "Let the search box work on pages opened as files, without a server."
    index = docs / "search.json"
    if not index.exists():
        return
    entries = index.read_text(encoding="utf-8")
    (docs / "search.js").write_text("window.searchEntries = " + entries, encoding="utf-8")
    for page in docs.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        page.write_text(
            text.replace("</head>", FILE_SEARCH + "</head>", 1), encoding="utf-8"
        )


def add_colab_link(place):
    "Below the title of a notebook's page: a link that opens the notebook where it can be run."
    page = docs / place.with_suffix(".html")
    target = colab_address(place.as_posix())
    if not target or not page.exists():
        return
    link = f'<p class="open-in"><a href="{html.escape(target)}">Open in Colab</a></p>'
    before, header, after = page.read_text(encoding="utf-8").partition(
        'id="title-block-header"'
    )
    page.write_text(
        before + header + after.replace("</header>", link + "</header>", 1),
        encoding="utf-8",
    )
