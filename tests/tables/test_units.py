"""Units: inputs of a table as what they were before they were scaled."""

from __future__ import annotations

import numpy as np

from nncli.tables.encoder import Category, Date, Encoder, Number
from nncli.tables.raw import RawTable
from nncli.tables.units import units_of

YEAR = 31_556_952.0


def test_inputs_times_scale_plus_center_are_what_their_names_say() -> None:
    encoder = Encoder(
        (
            Number("height", "number", 170.0, indicator=True, center=170.0, scale=8.0),
            Number("price", "number", 0.0, log=True, center=3.0, scale=2.0),
            Number("age", "number", 0.0, quantiles=(0.0, 10.0, 50.0)),
            Date("born", "date", 0.0, 20 * YEAR, 5 * YEAR, cycles=("week",)),
            Category("sex", "category", ("f", "m")),
        )
    )
    cells = np.array([[150.0, -99.0, 10.0, 30.5 * YEAR, 1.0]])
    inputs = np.empty((1, len(encoder.features)))
    encoder.of(RawTable("rows", encoder.wanted, cells)).apply(cells, inputs)
    units = units_of(encoder)
    meant = [
        float(x) * unit.scale + unit.center
        for x, unit in zip(inputs[0], units, strict=True)
    ]
    told = dict(zip((unit.name for unit in units), meant, strict=True))
    assert told.pop("height") == 150.0
    assert told.pop("price as ±ln(1 + |v|)") == -np.log1p(99.0)
    assert told.pop("age as share of rows below") == 0.5
    assert told.pop("born, year") == 2000.5
    assert (told.pop("sex=f"), told.pop("sex=m")) == (0.0, 1.0)
    assert list(told) == [
        "height is missing",
        "born sine of the week",
        "born cosine of the week",
    ]
