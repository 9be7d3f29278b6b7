"""What comes from data and suite files, made harmless for each format."""

from __future__ import annotations

import re

from bench.util.text import one_line, printable


def markdown(text: str) -> str:
    """Escape for GitHub Markdown, also inside tables."""
    text = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~#$])", r"\\\1", text)


def latex(text: str) -> str:
    """Escape for LaTeX. Letters that pdfTeX does not know show there as code points, else as they are."""
    return "".join(_LATEX.get(c) or (c if c < "\x7f" or c in _KNOWN else _beyond(c)) for c in one_line(text))


def csv_cell(value: object) -> object:
    """Keep a name on its line, and from being taken for a formula by a spreadsheet."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.lstrip().startswith(("=", "+", "-", "@")) else text


def _beyond(char: str) -> str:
    return rf"\ifdefined\Uchar {char}\else[U+{ord(char):04X}]\fi{{}}"


_KNOWN = frozenset("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿŒœŠšŽžŁł")
_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "°": r"$^{\circ}$",
    "±": r"$\pm$",
    "·": r"$\cdot$",
    "²": r"$^{2}$",
    "√": r"$\surd$",
    "\u2212": r"$-$",
    "\u2013": "--",
    "—": "---",
    "“": "``",
    "”": "''",
    "\u2018": "`",
    "\u2019": "'",
    "…": r"\ldots{}",
}
