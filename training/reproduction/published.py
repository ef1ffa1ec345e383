# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The results of the A-MESS paper (arXiv 2503.19474), in percent; F1, P and R are macro averages.

The rows of MulT and MAG-BERT in Table I equal MIntRec's own results, which are means over ten seeds. The paper does
not say how many seeds the other rows are means of.
"""

_CLASSIFICATION = ("accuracy", "macro_f1", "macro_precision", "macro_recall")
_OPEN = ("open_accuracy", "f1_in_scope", "f1_out_of_scope", "open_f1")


def _metrics(names: tuple[str, ...], rows: dict[str, tuple[float, ...]]) -> dict[str, dict[str, float]]:
    return {row: dict(zip(names, values, strict=False)) for row, values in rows.items()}


# data set -> row -> metric -> metric, in percent
TABLE_1 = {
    "mintrec": _metrics(
        _CLASSIFICATION,
        {
            "MulT": (72.52, 69.25, 70.25, 69.24),
            "MAG-BERT": (72.65, 68.64, 69.08, 69.28),
            "TCL-MAP": (73.54, 69.48, 71.09, 70.27),
            "CAGC": (73.39, 70.09, 71.21, 70.39),
            "A-MESS": (74.12, 70.49, 72.95, 69.94),
        },
    ),
    "mintrec2": _metrics(
        _CLASSIFICATION,
        {
            "MulT": (60.66, 54.12, 58.02, 53.77),
            "MAG-BERT": (60.58, 55.17, 57.78, 55.10),
            "TCL-MAP": (61.97, 56.09, 58.14, 53.42),
            "A-MESS": (62.39, 55.91, 60.10, 55.93),
        },
    ),
}
# MIntRec2.0 with its out-of-scope utterances as a 31st class. A-MESS's F1 is the printed one; its parts give 49.49.
TABLE_2 = _metrics(
    _OPEN,
    {
        "MAG-BERT": (56.20, 47.52, 62.47, 48.00),
        "MulT": (56.00, 46.88, 61.66, 47.35),
        "A-MESS": (56.81, 49.03, 63.42, 49.31),
    },
)
# MIntRec.
TABLE_3 = _metrics(
    _CLASSIFICATION,
    {
        "w/o both": (71.95, 68.34, 68.78, 69.08),
        "w/o SS": (72.88, 68.87, 69.30, 69.39),
        "w/o A-ME": (73.24, 69.58, 70.07, 69.09),
        "full": (74.12, 70.49, 72.95, 69.94),
    },
)
TABLE_4 = _metrics(
    _CLASSIFICATION, {"2": (73.83, 70.11), "3": (74.12, 70.49), "5": (74.07, 70.29), "8": (73.78, 70.07)}
)
