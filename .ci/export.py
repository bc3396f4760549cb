"""Export the notebooks of the folder it is started in to their modules.

It is nbdev's export, with the list of a module's names wrapped so that its first line, too, is at most 120 columns."""

from textwrap import TextWrapper

import nbdev.maker
from nbdev.doclinks import nbdev_export


def narrower(width, **options):
    "The wrapper of nbdev's lists, with room for the words before the first name."
    return TextWrapper(width=width - 20, **options)


if __name__ == "__main__":
    nbdev.maker.TextWrapper = narrower
    nbdev_export()
