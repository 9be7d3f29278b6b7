"""Plate maps of Cell Painting experiments: which well was treated with what."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bench.layouts.tablefile import TextTable
from bench.layouts.textvalues import is_missing

DMSO = "DMSO"


@dataclass(frozen=True)
class Treatment:
    """What was done to a well, and its annotations."""

    kind: str
    """"compound" or "gene"."""
    perturbation: str
    """Identifier of the reagent (`broad_sample`), or "DMSO" for wells with the solvent alone."""
    name: str | None
    """Name of the compound, or the gene."""
    target: str | None
    """The gene aimed at, where it is one."""
    control_type: str
    """"negcon", "poscon_cp", ..., "trt" for treatments; "" if the reagent has no metadata."""


@dataclass(frozen=True)
class PlateMap:
    """The treatments of one layout of wells."""

    treatments: dict[str, Treatment | None]
    """Well ("A01") -> its treatment; None if the well is empty."""
    problems: Sequence[str]
    """Rows left out or without facts, with file and line."""


def join(plate_map: TextTable, reagents: TextTable) -> PlateMap:
    """Look up each well's reagent.

    A map with a column `solvent` is one of compounds: there, wells without `broad_sample` ("", "NA" or
    another missing value) in the solvent DMSO are the negative control, and so are wells whose
    `broad_sample` is DMSO itself, in any case. The reagents' own row for DMSO is called "NA", which readers
    that treat it as missing cannot tell from "". Reagents match in any case where it decides between no two.
    In other maps (CRISPR guides, ORFs) such wells are empty, and so are those with another solvent.

    Parameters
    ----------
    plate_map : columns `well_position`, `broad_sample` and, for compounds, `solvent`.
    reagents : columns `broad_sample`, `pert_type`, `control_type`; of compounds also `pert_iname` and
        `target` or `target_list`, of others `gene`.

    Notes
    -----
    A compound's target is `target`, or the only gene of `target_list` (separated by "|").
    """
    kind = "compound" if "solvent" in plate_map.columns else "gene"
    problems = [*plate_map.ragged, *reagents.ragged]
    known: dict[str, Treatment] = {}
    for row, name in enumerate(reagents.columns["broad_sample"]):
        if name in known:
            problems.append(f"{reagents.where(row)}: repeats {name!r}")
        elif not is_missing(name):
            known[name] = _reagent(kind, name, reagents, row)
    times = Counter(name.casefold() for name in known)
    in_case = {name.casefold(): name for name in known if times[name.casefold()] == 1}
    treatments: dict[str, Treatment | None] = {}
    solvents = plate_map.columns.get("solvent", [""] * len(plate_map))
    wells = zip(plate_map.columns["well_position"], plate_map.columns["broad_sample"], solvents, strict=True)
    for row, (position, sample, solvent) in enumerate(wells):
        well = well_name(position)
        if well is None or well in treatments:
            problems.append(f"{plate_map.where(row)}: {position!r} is no well, or repeats one")
        elif is_missing(sample) or (is_dmso(sample) and sample not in known):
            dmso = Treatment(kind, DMSO, DMSO, None, "negcon")
            treatments[well] = dmso if is_dmso(solvent) or is_dmso(sample) else None
        else:
            treatment = known.get(sample) or known.get(in_case.get(sample.casefold(), ""))
            treatments[well] = treatment or Treatment(kind, sample, None, None, "")
            if treatment is None:
                problems.append(f"{plate_map.where(row)}: nothing is known of {sample!r} in {reagents.path}")
    return PlateMap(treatments, problems)


def is_dmso(text: str) -> bool:
    """Say whether a value without surrounding blanks names the solvent, in any case."""
    return text.upper() == DMSO


def well_name(position: str) -> str | None:
    """Return a well as "A01"; None if it is not a well of a plate of 384 or 1536."""
    match = re.fullmatch(r"([A-Za-z]|[Aa][A-Fa-f])0?([1-9]|[1-3]\d|4[0-8])", position.strip())
    return f"{match[1].upper()}{int(match[2]):02d}" if match else None


def _reagent(kind: str, name: str, reagents: TextTable, row: int) -> Treatment:
    def at(column: str) -> str | None:
        value = reagents.columns[column][row] if column in reagents.columns else ""
        return None if is_missing(value) else value

    targets = (at("target_list") or "").split("|")
    target = at("target") or (targets[0] if len(targets) == 1 else None)
    treated = (at("pert_type") or "").lower() == "trt"
    control = (at("control_type") or ("trt" if treated else "")).lower()
    if kind == "compound":
        return Treatment(kind, name, at("pert_iname"), target or None, control)
    return Treatment(kind, name, at("gene"), at("gene"), control)
