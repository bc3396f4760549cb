"""What a figure shows, as one short text: the numbers and words of everything drawn in it.

Pictures differ with fonts and versions; what was drawn does not. `make.py execute` stores these texts for
each page, and `make.py test` computes them again, so that a figure whose numbers have changed is seen,
whatever its picture looks like."""

import hashlib
import json

import numpy as np

DIGITS = 5  # significant digits that are compared


def rounded(values):
    "Numbers as text, with DIGITS significant digits; what is masked or not finite has a name."
    array = np.ma.filled(np.ma.asarray(values, dtype=float), np.nan).ravel()
    return [f"{value:.{DIGITS}g}" if value else "0" for value in array + 0.0]


def drawn(artist):
    "The data of one artist that belongs to a plot; None for what only frames it."
    kind = type(artist).__name__
    if hasattr(artist, "get_xydata"):
        return [kind, rounded(artist.get_xydata())]
    if hasattr(artist, "get_array") and hasattr(artist, "get_extent"):
        return [kind, rounded(artist.get_array())]
    if hasattr(artist, "get_width") and hasattr(artist, "get_xy"):
        corner = artist.get_xy()
        return [kind, rounded([*corner, artist.get_width(), artist.get_height()])]
    if hasattr(artist, "get_offsets"):
        colours = artist.get_array()
        return [
            kind,
            rounded(artist.get_offsets()),
            [] if colours is None else rounded(colours),
        ]
    return None


def contents(figure):
    "The words of a figure, and what is drawn in each of its axes."
    parts = [[text.get_text() for text in figure.texts]]
    for axes in figure.axes:
        words = [axes.get_title(), axes.get_xlabel(), axes.get_ylabel()]
        words += [text.get_text() for text in axes.texts]
        artists = [drawn(artist) for artist in axes.get_children()]
        parts.append([words, [artist for artist in artists if artist]])
    return parts


def fingerprint(figure):
    "A short text that changes when what a figure shows changes."
    text = json.dumps(contents(figure), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def open_figures():
    "The fingerprints of all open figures, in the order in which they were made; closes them, as a notebook does."
    import matplotlib.pyplot as plt

    found = [fingerprint(plt.figure(number)) for number in plt.get_fignums()]
    plt.close("all")
    return found
