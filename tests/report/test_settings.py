"""Settings: what of a config is not its default."""

from __future__ import annotations

from nncli.config.load import load_config
from nncli.report.settings import Setting, settings
from tests.conftest import CONFIGS

SHOWN = {
    "dataset": ("spiral", ""),
    "layers[0]": ("{type: dense, units: 64, l2: 0.0005}", ""),
    "layers[1]": ("relu", ""),
    "layers[2]": ("{type: dense, units: 3}", ""),
    "loss": ("softmax_cross_entropy", ""),
    "optimizer": ("{type: adam, lr: 0.05}", ""),
    "training.epochs": ("10000", "null"),
    "training.batch_size": ("full", "32"),
    "training.evaluate_every": ("100", "1"),
    "name": ("spiral", "run"),
    "schedule": ("{type: inverse_time, decay: 5.0e-05}", "constant"),
    "metrics[0]": ("accuracy", ""),
}


def test_settings_are_what_the_file_says() -> None:
    config = load_config(CONFIGS / "spiral.yaml", []).config.spec
    found = {each.place: (each.value, each.default) for each in settings(config)}
    assert found == SHOWN
    # Read back from a checkpoint, keys stand in another order.
    turned = {name: config[name] for name in sorted(config)}
    assert settings(turned) == settings(config)


def test_settings_show_what_is_unknown_as_it_is() -> None:
    config = {"split": {"validation": 0.0, "later": 3}, "more": [{"type": "odd"}]}
    assert settings(config) == [
        Setting("split.later", "3", ""),
        Setting("more[0]", "{type: odd}", ""),
    ]
