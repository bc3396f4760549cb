"What the scripts of this folder share: where things are, the settings, and which notebooks there are."

from configparser import ConfigParser
from pathlib import Path
from urllib.parse import urlsplit

root = Path(__file__).resolve().parent.parent


def settings():
    "The settings of settings.ini."
    config = ConfigParser(delimiters=["="])
    config.read(root / "settings.ini", encoding="utf-8")
    return config["DEFAULT"]


def address():
    "Where the repository is published, without a slash at its end; empty where nobody has said so."
    return settings().get("address", "").strip().rstrip("/")


def colab_address(notebook):
    "Where Colab opens a notebook of the published repository; empty where there is none on GitHub."
    place = urlsplit(address())
    if place.netloc != "github.com":
        return ""
    branch = settings()["branch"]
    path = place.path.strip("/")
    return f"https://colab.research.google.com/github/{path}/blob/{branch}/{notebook}"


def notebooks():
    "Every notebook that is a page, as a path from the top level."
    found = []
    for path in sorted((root / "nbs").rglob("*.ipynb")):
        place = path.relative_to(root)
        if not any(part.startswith((".", "_")) for part in place.parts):
            found.append(place)
    return found
