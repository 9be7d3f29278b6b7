from __future__ import annotations

from pathlib import Path

import pytest

from bench.layouts.platemap import join, well_name
from bench.layouts.tablefile import TextTable, read_table

REAGENTS = (
    "broad_sample\tpert_iname\ttarget_list\tpert_type\tcontrol_type\n"
    "B1\taspirin\tPTGS1|PTGS2\ttrt\tNA\nB2\tfk866\tNAMPT\tcontrol\tposcon_cp\nNA\tDMSO\tNA\tcontrol\tnegcon\n"
)


def table(tmp_path: Path, name: str, text: str) -> TextTable:
    (tmp_path / name).write_text(text)
    return read_table(tmp_path / name, delimiter="\t")


@pytest.mark.parametrize("blank", ["", "NA"])
def test_dmso_is_told_by_the_solvent_alone(tmp_path: Path, blank: str):
    wells = ["A01\tB1\tDMSO", f"a2\t{blank}\tDMSO", f"A03\t{blank}\tH2O", "A04\tB2\tDMSO"]
    text = "\n".join(["well_position\tbroad_sample\tsolvent", *wells, ""])
    found = join(table(tmp_path, "m", text), table(tmp_path, "r", REAGENTS))
    treatments = found.treatments
    assert treatments["A03"] is None
    assert {w: (t.perturbation, t.control_type) for w, t in treatments.items() if t} == {
        "A01": ("B1", "trt"),
        "A02": ("DMSO", "negcon"),
        "A04": ("B2", "poscon_cp"),
    }
    assert [t.target for t in treatments.values() if t] == [None, None, "NAMPT"]
    assert not found.problems


@pytest.mark.parametrize("blank", ["", "NA"])
def test_without_a_solvent_such_wells_are_empty(tmp_path: Path, blank: str):
    reagents = (
        "broad_sample\tgene\tpert_type\tcontrol_type\nG1\tKCNN1\ttrt\t\nG2\t\tcontrol\tnegcon\nNA\tX\ttrt\t\n"
    )
    text = f"well_position\tbroad_sample\nA01\tG1\nA02\t{blank}\nA03\tG2\n"
    wells = join(table(tmp_path, "m", text), table(tmp_path, "r", reagents)).treatments
    assert wells["A02"] is None
    one, two = wells["A01"], wells["A03"]
    assert one is not None
    assert two is not None
    assert (one.target, one.control_type) == ("KCNN1", "trt")
    assert (two.target, two.control_type) == (None, "negcon")


def test_a_target_column_goes_before_the_list(tmp_path: Path):
    reagents = (
        "broad_sample\tpert_iname\ttarget_list\ttarget\tpert_type\tcontrol_type\nB1\ta\tX|Y\tY\ttrt\tNA\n"
    )
    text = "well_position\tbroad_sample\tsolvent\nA01\tB1\tDMSO\n"
    found = join(table(tmp_path, "m", text), table(tmp_path, "r", reagents)).treatments["A01"]
    assert found is not None
    assert found.target == "Y"


def test_problems_are_listed_with_file_and_line(tmp_path: Path):
    text = "well_position\tbroad_sample\tsolvent\nA01\tB9\tDMSO\nA01\tB1\tDMSO\n??\tB1\tDMSO\nA02\tB1\n"
    reagents = REAGENTS + "B1\tagain\tX\ttrt\tNA\n"
    found = join(table(tmp_path, "m", text), table(tmp_path, "r", reagents))
    assert found.treatments["A01"] is not None
    assert found.treatments["A01"].control_type == ""
    assert list(found.problems) == [
        f"{tmp_path / 'm'}:5: has 2 fields, the header 3",
        f"{tmp_path / 'r'}:5: repeats 'B1'",
        f"{tmp_path / 'm'}:2: nothing is known of 'B9' in {tmp_path / 'r'}",
        f"{tmp_path / 'm'}:3: 'A01' is no well, or repeats one",
        f"{tmp_path / 'm'}:4: '??' is no well, or repeats one",
    ]


@pytest.mark.parametrize(
    ("position", "well"),
    [
        ("A01", "A01"),
        ("a1", "A01"),
        ("P24", "P24"),
        ("AF48", "AF48"),
        ("A49", None),
        ("A00", None),
        ("1A", None),
        ("", None),
    ],
)
def test_wells_have_one_spelling(position: str, well: str | None):
    assert well_name(position) == well


@pytest.mark.parametrize(
    ("change"),
    [
        lambda cells: [f" {c} " for c in cells],
        lambda cells: [cells[0], cells[1], cells[2].lower()],
        lambda cells: [cells[0], cells[1] or "DMSO", cells[2]],
        lambda cells: [cells[0], cells[1] or "dmso", ""],
        lambda cells: [cells[0].lower(), cells[1].lower() or "nan", cells[2]],
    ],
)
def test_padding_and_case_change_nothing(tmp_path: Path, change):
    wells = [["A01", "B1", "DMSO"], ["A02", "", "DMSO"], ["A03", "B2", "DMSO"]]
    rows = [["well_position", "broad_sample", "solvent"], *map(change, wells)]
    found = join(table(tmp_path, "m", "\n".join(map("\t".join, rows)) + "\n"), table(tmp_path, "r", REAGENTS))
    kinds = {well: t and t.control_type for well, t in found.treatments.items()}
    assert kinds == {"A01": "trt", "A02": "negcon", "A03": "poscon_cp"}
    assert not found.problems
