"""Rows that the training part shares with the parts it is scored on."""

from __future__ import annotations

from collections.abc import Iterator

from nncli.checking.doctor.base import Check, Finding
from nncli.core.text import count
from nncli.data.leaks import shared_rows

SHARE, LEAST = 0.02, 3
"""Share and number of a part's rows from which on copies are told.

One row in a hundred is met by chance (the shipped iris, names and bAbI have up to
that); two in a hundred make an accuracy of 0.90 look like 0.902, and cost as much as
many a change of a network brings. Barz and Denzler 2020 ("Do we train on test data?")
found 3 % in CIFAR-10 and 10 % in CIFAR-100, and results that changed by that.
"""

COPIES = 4
"""Rows for each different one above which inputs simply take few values."""


class Duplicates(Check, name="duplicates"):
    """Rows of validation or test whose inputs occur in training too."""

    stage = "data"

    def run(self) -> Iterator[Finding]:
        parts = self.exam.experiment.parts
        rows = parts["train"].rows
        if len(parts) < 2 or any(part.rows is not rows for part in parts.values()):
            # Stretches of a text: they are cut side by side.
            return
        places = {name: part.index for name, part in parts.items()}
        inside, between = shared_rows(rows, places)
        train = len(parts["train"])
        different = train - inside.get("train", 0)
        if train > COPIES * different:
            return
        for (first, second), shared in between.items():
            total = len(parts[second])
            if first == "train" and shared >= max(LEAST, SHARE * total):
                yield self._leak(second, shared, total)

    def _leak(self, part: str, shared: int, total: int) -> Finding:
        return self.finding(
            f"{count(shared, 'row')} of the {total:,} of {part} "
            f"({100 * shared / total:.0f} %) have the very inputs of a training row, "
            f"expected less than {100 * SHARE:.0f} %: what is learned by heart scores "
            "as if it were understood.",
            "Remove the copies from the data, or keep them on one side of the split "
            "with a column that is the same for all copies of a row: "
            "split.group=COLUMN. nncli data describe counts them.",
        )
