"""What the text in tables means: its encoding, separators, numbers, missing values and labels.

Every reader of tables follows these rules. What they take as something else than it stands is returned as a
note, one sentence without the path; what they cannot know is refused, with the way out.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bench.errors import DataError

_NANS = {"NaN", "nan", "-NaN", "-nan", "1.#QNAN", "-1.#QNAN", "1.#IND", "-1.#IND", "NaT"}
_NAS = {"NA", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "<NA>", "NULL", "null", "None"}
MISSING = frozenset({""} | _NANS | _NAS)
"""What stands for a missing value: nothing, and what pandas reads or writes as one."""

RULES_VERSION = 2
"""Part of the key of data on disk with tables: raise it whenever the same table would be read otherwise."""
TABLE_ENDINGS = (".csv", ".tsv", ".txt", ".lst", ".flb", ".gz", ".parquet")
"""Of files that are read by these rules."""

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
"""What may separate columns, and how messages call it."""

_UNCLEAR = {word.casefold() for word in MISSING if word} | {"?", "-", "--", "missing"}
_WHOLE = re.compile(r"(-?[0-9]+)[.,]0*")
_FLOAT = re.compile(r"-?[0-9]+(?:[.,][0-9]*(?:[eE][+-]?[0-9]{1,3})?)?")
_MARKS = ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def decode(data: bytes, path: Path) -> tuple[str, Sequence[str]]:
    """Return the text of a table, and notes: UTF-8, UTF-16 with a mark, or else Windows-1252.

    Raises
    ------
    DataError : zero bytes, or bytes that are neither UTF-8 nor Windows-1252, or both at once in one file.
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            try:
                return data.decode(name), ["the text is read as UTF-16"]
            except UnicodeDecodeError:
                raise DataError(f"{path}: is damaged UTF-16; save it as UTF-8") from None
    if b"\0" in data:
        raise DataError(f"{path}: holds zero bytes; expected text in UTF-8")
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError as e:
        at = f"{path}:{data.count(bytes([10]), 0, e.start) + 1}: is not UTF-8 (byte {data[e.start]:#04x})"
    if any(_is_utf8(line) for line in data.splitlines() if not line.isascii()):
        raise DataError(f"{at}, other lines are; save the file as UTF-8")
    try:
        return data.decode("cp1252"), ["the text is read as Windows-1252, for it is not UTF-8"]
    except UnicodeDecodeError:
        raise DataError(f"{at}, nor Windows-1252; save the file as UTF-8") from None


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def separator(first_line: str, expected: str, required: Sequence[str] = ()) -> str:
    """Return what separates the columns: `expected`, unless only another one yields a header that is usable.

    A header is usable if it has the required columns (in any case), or without any, two columns or more.
    """
    for candidate in (expected, *SEPARATORS):
        try:
            names = {name.strip().lower() for name in next(csv.reader([first_line], delimiter=candidate), [])}
        except csv.Error:
            continue
        if len(names) > 1 and names >= {name.lower() for name in required}:
            return candidate
    return expected


def separator_note(found: str) -> str:
    """Return the note on a separator that was not expected."""
    return f"columns are separated by {SEPARATORS[found]}"


def is_missing(text: str) -> bool:
    """Say whether a value, without surrounding blanks, stands for a missing one."""
    return text in MISSING


def whole(text: str) -> str:
    """Return a whole number written as a float ("3.0", "3,0", "3.00e+00") as "3", other text unchanged."""
    if match := _WHOLE.fullmatch(text):
        return match[1]
    if "." in text and _FLOAT.fullmatch(text) and (value := float(text)).is_integer() and abs(value) < 2**53:
        return str(int(value))
    return text


def clean_labels(labels: Sequence[str], where: Callable[[int], str]) -> tuple[list[str], list[str]]:
    """Return labels in one spelling each, "" where one is missing, and notes on what was taken as what.

    `nan`, `NA`, `None` and their like are missing values; `3.0` is the `3` of a table that was once one of
    floats. Names otherwise stay as they are: `1` and `01` differ, as do `Copepod` and `copepod`.

    Parameters
    ----------
    where : file and line of a label, for messages.

    Raises
    ------
    DataError : a word that may be a class or a missing value (`none`, `?`), or fractions.
    """
    stripped = [label.strip() for label in labels]
    counts = Counter(stripped)
    unclear = [x for x in counts if x not in MISSING and x.casefold() in _UNCLEAR]
    if unclear:
        word = unclear[0]
        raise DataError(
            f"{where(stripped.index(word))}: is the label {word!r} a class or a missing value "
            f"({counts[word]} in all)? Leave missing labels empty, or give the class another name"
        )
    spelled = {x: "" if x in MISSING else whole(x) for x in counts}
    known = [x for x in spelled.values() if x]
    fraction = next((x for x in known if re.search("[.,]", x)), None)
    if fraction is not None and all(map(_FLOAT.fullmatch, known)):
        raise DataError(
            f"{where(stripped.index(fraction))}: the label {fraction} is not a whole number; labels are "
            "names or whole numbers. Is this the right column?"
        )
    return [spelled[x] for x in stripped], list(_label_notes(counts, spelled))


def _label_notes(counts: Counter[str], spelled: dict[str, str]) -> Iterable[str]:
    for word in sorted(x for x in counts if x and not spelled[x]):
        yield f"{counts[word]} labels read {word!r}: taken as missing"
    for word in sorted(x for x in counts if spelled[x] not in (x, "") and spelled[x] in counts):
        yield f"the label {word!r} is taken as {spelled[word]!r}"
    for key, differ in ((str.casefold, "in case"), (_without_zeros, "in leading zeros")):
        groups: dict[str, list[str]] = {}
        for name in sorted(filter(None, set(spelled.values()))):
            groups.setdefault(key(name), []).append(name)
        for names in groups.values():
            if len(names) > 1:
                listed = ", ".join(map(repr, names))
                yield f"labels that differ {differ} alone are classes of their own: {listed}"


def _without_zeros(name: str) -> str:
    return re.sub(r"^0+(?=[0-9])", "", name) if name.isdecimal() else name


def header_of_labels(labels: Sequence[str], where: Callable[[int], str]) -> bool:
    """Say whether the first line of a file of one label a line is a header.

    It is if it is a name above whole numbers.

    Raises
    ------
    DataError : it may be one: it is the only line with this name, while other names repeat.
    """
    if len(labels) < 2:
        return False
    first, rest = labels[0].strip(), [x.strip() for x in labels[1:]]
    if not first or is_missing(first) or _FLOAT.fullmatch(first):
        return False
    known = [x for x in rest if not is_missing(x)]
    if known and all(map(_FLOAT.fullmatch, known)):
        return True
    if first not in known and len(set(known)) < len(known):
        raise DataError(
            f"{where(0)}: is {first!r} a header? It occurs once. If so, call it `label`; if it is the label "
            "of the first image, put a line `label` above it"
        )
    return False


def decimal_comma(columns: Iterable[Iterable[str]]) -> bool:
    """Say whether the numbers in these columns of one table have a comma before their decimals.

    Raises
    ------
    ValueError : commas that may separate thousands as well ("1,234" and nothing that decides it).
    """
    commas = [x for column in columns for x in column if "," in x]
    if not commas:
        return False
    numbers = [x for x in commas if re.fullmatch(r"-?[0-9]+,[0-9]*(?:[eE][+-]?[0-9]+)?", x)]
    if not numbers:
        return False
    if any(not re.fullmatch(r"-?[1-9][0-9]{0,2},[0-9]{3}", x) for x in numbers):
        return True
    raise ValueError(f"{numbers[0]!r} may be a number with decimals or one of thousands")
