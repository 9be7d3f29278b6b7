"""Writes particle tables as VisualSpreadsheet 4 does: `.lst` of version 017 and `.csv` export."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Record = Mapping[str, float | str]
"""Field -> value, for all of `FIELDS`."""

_PLACES = "id image_x image_y image_w image_h src_x src_y src_image cal_image ppc camera"
_REALS = (
    "raw_sphere_volume raw_sphere_complement raw_sphere_unknown raw_area raw_feret_max raw_feret_min "
    "raw_feret_mean raw_perimeter raw_convex_perimeter raw_legendre_major raw_legendre_minor abd_area "
    "abd_diameter length width esd_diameter fd_diameter perimeter convex_perimeter intensity "
    "sigma_intensity sum_intensity compactness elongation roughness edge_gradient elapsed_time circle_fit "
    "symmetry circularity_hu intensity_calimage raw_convex_hull_area raw_filled_area filled_area "
    "feret_max_angle feret_min_angle avg_red avg_green avg_blue ch1_peak ch1_width ch1_area ch2_peak "
    "ch2_width ch2_area ch3_peak ch3_width ch3_area"
)
FIELDS: Mapping[str, str] = {
    **dict.fromkeys(_PLACES.split(), "int32"),
    **dict.fromkeys(("cal_const", "fringe_size"), "double"),
    "sphere_count": "int32",
    **dict.fromkeys(_REALS.split(), "double"),
    "timestamp": "timestamp",
    "collage_file": "string",
    "image_id": "guid",
}
"""Name -> type of the 65 fields of an `.lst`, in order."""

_EXPORT = (
    "Particle ID=id|Area (ABD)=abd_area|Area (Filled)=filled_area|Aspect Ratio|Average Blue=avg_blue|"
    "Average Green=avg_green|Average Red=avg_red|Calibration Factor=cal_const|Calibration Image=cal_image|"
    "Camera|Capture X=src_x|Capture Y=src_y|Ch1 Area=ch1_area|Ch1 Peak=ch1_peak|Ch1 Width=ch1_width|"
    "Ch2 Area=ch2_area|Ch2 Peak=ch2_peak|Ch2 Width=ch2_width|Ch2/Ch1 Ratio|Circle Fit=circle_fit|Circularity|"
    "Circularity (Hu)=circularity_hu|Compactness=compactness|Convex Perimeter=convex_perimeter|Convexity|"
    "Date|Diameter (ABD)=abd_diameter|Diameter (ESD)=esd_diameter|Diameter (FD)=fd_diameter|"
    "Edge Gradient=edge_gradient|Elapsed Time=elapsed_time|Elongation=elongation|"
    "Feret Angle Max=feret_max_angle|Feret Angle Min=feret_min_angle|Fiber Curl|Fiber Straightness|"
    "Filter Score|Geodesic Aspect Ratio|Geodesic Length|Geodesic Thickness|Image File=collage_file|"
    "Image Height=image_h|Image Width=image_w|Image X=image_x|Image Y=image_y|Intensity=intensity|"
    "Length=length|Original Reference ID=image_id|Particles Per Chain=ppc|Perimeter=perimeter|"
    "Ratio Blue/Green|Ratio Red/Blue|Ratio Red/Green|Roughness=roughness|Scatter Area=ch3_area|"
    "Scatter Peak=ch3_peak|Scatter Width=ch3_width|Sigma Intensity=sigma_intensity|Source Image=src_image|"
    "Sphere Complement=raw_sphere_complement|Sphere Count=sphere_count|Sphere Unknown=raw_sphere_unknown|"
    "Sphere Volume=raw_sphere_volume|Sum Intensity=sum_intensity|Symmetry=symmetry|Time|Timestamp=timestamp|"
    "Transparency|Volume (ABD)|Volume (ESD)|Width=width"
)


def lst(records: Sequence[Record]) -> str:
    """Return the text of an `.lst`."""
    head = ["017", f"num-fields|{len(FIELDS)}", *(f"{name}|{kind}" for name, kind in FIELDS.items())]
    rows = ("|".join(_text(r[name], FIELDS[name]) for name in FIELDS) for r in records)
    return "\n".join([*head, *rows]) + "\n"


def export(records: Sequence[Record]) -> str:
    """Return the text of a `.csv` export."""
    columns = [entry.partition("=")[::2] for entry in _EXPORT.split("|")]
    lines = [",".join(title for title, _ in columns)]
    for r in records:
        more = _derived(r)
        lines.append(",".join(_text(r[f], FIELDS[f]) if f else more[title] for title, f in columns))
    return "\n".join(lines) + "\n"


def measure(rgb: NDArray[np.uint8], mask: NDArray[np.uint8], um_per_px: float) -> dict[str, float | str]:
    """Measure one particle: sizes, shape and colour, more simply than VisualSpreadsheet does.

    Parameters
    ----------
    rgb : shape (height, width, 3).
    mask : shape (height, width); not 0 where the particle is, which must be somewhere.
    """
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = cv2.convexHull(np.concatenate(outlines))
    _, sides, angle = cv2.minAreaRect(hull)
    feret_min, feret_max = (side + 1 for side in sorted(sides))
    area = float(np.count_nonzero(mask))
    perimeter = sum(cv2.arcLength(outline, True) for outline in outlines) + 4.0
    convex = cv2.arcLength(hull, True) + 4.0
    filled = float(np.count_nonzero(cv2.drawContours(mask.copy(), outlines, -1, 255, -1)))
    hull_area = max(filled, cv2.contourArea(hull))
    moments = cv2.moments(mask, True)
    spread = max(moments["mu20"] + moments["mu02"], area / 6)
    inside = mask > 0
    values = grey[inside].astype(float)
    red, green, blue = rgb[inside].mean(0)
    diameter = math.sqrt(4 * area / math.pi)
    both = np.count_nonzero(inside & inside[::-1, ::-1])
    return {
        **dict.fromkeys(_REALS.split(), 0.0),
        "ppc": len(outlines),
        "raw_area": area,
        "raw_feret_max": feret_max,
        "raw_feret_min": feret_min,
        "raw_feret_mean": (feret_max + feret_min) / 2,
        "raw_perimeter": perimeter,
        "raw_convex_perimeter": convex,
        "raw_legendre_major": feret_max,
        "raw_legendre_minor": feret_min,
        "raw_convex_hull_area": hull_area,
        "raw_filled_area": filled,
        "abd_area": area * um_per_px**2,
        "abd_diameter": diameter * um_per_px,
        "length": feret_max * um_per_px,
        "width": feret_min * um_per_px,
        "esd_diameter": (feret_max + feret_min) / 2 * um_per_px,
        "fd_diameter": diameter * um_per_px,
        "perimeter": perimeter * um_per_px,
        "convex_perimeter": convex * um_per_px,
        "filled_area": filled * um_per_px**2,
        "intensity": values.mean(),
        "sigma_intensity": values.std(),
        "sum_intensity": values.sum(),
        "compactness": perimeter**2 / (4 * math.pi * area),
        "elongation": feret_max / feret_min,
        "roughness": perimeter / convex,
        "edge_gradient": float(np.abs(np.diff(grey.astype(float), axis=0)).max(initial=0)),
        "circle_fit": min(1.0, area / (math.pi / 4 * feret_max**2)),
        "symmetry": both / area,
        "circularity_hu": min(1.0, area**2 / (2 * math.pi * spread)),
        "feret_max_angle": angle,
        "feret_min_angle": angle - 90,
        "avg_red": red,
        "avg_green": green,
        "avg_blue": blue,
    }


def _text(value: float | str, kind: str) -> str:
    return f"{value:.4f}" if kind == "double" else str(value)


def _derived(r: Record) -> dict[str, str]:
    """Return the columns of an export that no field of the `.lst` holds."""
    red, green, blue = (float(r[f"avg_{colour}"]) for colour in ("red", "green", "blue"))
    length, width = float(r["length"]), float(r["width"])
    diameter, esd = float(r["abd_diameter"]), float(r["esd_diameter"])
    time = str(r["timestamp"])
    values = {
        "Aspect Ratio": width / length,
        "Ch2/Ch1 Ratio": 0,
        "Circularity": min(1.0, 1 / float(r["compactness"])),
        "Convexity": float(r["convex_perimeter"]) / float(r["perimeter"]),
        "Fiber Curl": 0,
        "Fiber Straightness": 1,
        "Filter Score": 0,
        "Geodesic Aspect Ratio": width / length,
        "Geodesic Length": length,
        "Geodesic Thickness": width,
        "Ratio Blue/Green": blue / green,
        "Ratio Red/Blue": red / blue,
        "Ratio Red/Green": red / green,
        "Transparency": 1 - diameter / max(diameter, esd),
    }
    volumes = {"Volume (ABD)": math.pi / 6 * diameter**3, "Volume (ESD)": math.pi / 6 * esd**3}
    return {
        **{name: f"{value:.4f}" for name, value in values.items()},
        **{name: f"{value:.6e}" for name, value in volumes.items()},
        "Camera": str(int(r["camera"]) + 1),  # counted from 0 in the .lst, from 1 here
        "Date": time[:10],
        "Time": time[11:19],
    }
