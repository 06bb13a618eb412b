"""`nncli init` and `nncli train` beside scikit-learn, on the same five folds.

Each fold's training rows are written to one CSV and its test rows to another; `nncli
init train.csv --test test.csv` sees the training rows only, and nothing is edited
before `nncli train`. scikit-learn's MLPClassifier or MLPRegressor, and its
LogisticRegression or Ridge, have their defaults behind a median imputation, a standard
scaling and a one-hot encoding. Scores are accuracy or R²; beside each stands its
standard error over the folds. Needs scikit-learn and pandas; some minutes.

    python benchmarks/tables.py [--tables iris,cars] [--folds 5] [--draw 0]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[1]
SHIPPED = {"penguins": "species", "cars": "mpg"}
LOADED = ("iris", "wine", "breast_cancer", "diabetes", "digits")
TARGET = "target"


def table_of(name: str) -> tuple[pd.DataFrame, str, bool]:
    """Return a table, the name of its target, and whether that is a number."""
    from sklearn import datasets

    if name in SHIPPED:
        frame = pd.read_csv(ROOT / "datasets" / f"{name}.csv")
        if name == "cars":
            # Nearly every car has a name of its own; init leaves the column out too.
            frame = frame.drop(columns="name")
        return frame, SHIPPED[name], name == "cars"
    found = getattr(datasets, f"load_{name}")()
    names = [str(each).replace(" ", "_") for each in found.feature_names]
    frame = pd.DataFrame(found.data, columns=names)
    number = name == "diabetes"
    frame[TARGET] = found.target if number else [f"class {t}" for t in found.target]
    return frame, TARGET, number


def folds_of(
    frame: pd.DataFrame, target: str, number: bool, count: int, draw: int
) -> list[tuple[Any, Any]]:
    """Return the places of the training and of the test rows of each fold."""
    from sklearn.model_selection import KFold, StratifiedKFold

    kind = KFold if number else StratifiedKFold
    drawn = kind(count, shuffle=True, random_state=draw)
    return list(drawn.split(frame, None if number else frame[target]))


def nncli(folder: Path, *arguments: str) -> str:
    """Run a command and return what it printed."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "nncli", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: {done.stderr}")
    return done.stdout


def ours(train: pd.DataFrame, test: pd.DataFrame, target: str) -> tuple[float, float]:
    """Return the score of what init writes, and the seconds of init and train."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train.to_csv(folder / "train.csv", index=False)
        test.to_csv(folder / "test.csv", index=False)
        began = time.perf_counter()
        nncli(folder, "init", "train.csv", "--target", target, "--test", "test.csv")
        nncli(folder, "train", "train.yaml")
        spent = time.perf_counter() - began
        told = json.loads(nncli(folder, "eval", "train-1", "--split=test", "--json"))
    return told["accuracy" if "accuracy" in told else "r2"], spent


def theirs(
    train: pd.DataFrame, test: pd.DataFrame, target: str, model: Any
) -> tuple[float, float]:
    """Return the score of a model of scikit-learn, and the seconds of its fit."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    words = OneHotEncoder(handle_unknown="ignore")
    columns = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (words, make_column_selector(dtype_exclude="number")),
    )
    whole = make_pipeline(columns, model)
    began = time.perf_counter()
    with warnings.catch_warnings():
        # Defaults that stop before they converge are part of what is compared.
        warnings.simplefilter("ignore")
        whole.fit(train.drop(columns=target), train[target])
    spent = time.perf_counter() - began
    return float(whole.score(test.drop(columns=target), test[target])), spent


def compared(name: str, folds: int, draw: int) -> dict[str, list[tuple[float, float]]]:
    """Return (score, seconds) of each fold, by whom."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    frame, target, number = table_of(name)
    network = MLPRegressor if number else MLPClassifier
    linear = Ridge if number else LogisticRegression
    found: dict[str, list[tuple[float, float]]] = {"nncli": [], "mlp": [], "linear": []}
    for places, held in folds_of(frame, target, number, folds, draw):
        train, test = frame.iloc[places], frame.iloc[held]
        found["nncli"].append(ours(train, test, target))
        found["mlp"].append(theirs(train, test, target, network(random_state=draw)))
        found["linear"].append(theirs(train, test, target, linear()))
    return found


def error_of(scores: Any) -> float:
    """Return the standard error of a mean over the folds."""
    return float(np.std(scores, ddof=1) / np.sqrt(len(scores)))


def line_of(name: str, found: dict[str, list[tuple[float, float]]]) -> str:
    """Write scores, errors and seconds, and how nncli compares."""
    scores = {who: np.array([score for score, _ in found[who]]) for who in found}
    cells = [f"{name:<14}"]
    for who in found:
        seconds = np.mean([spent for _, spent in found[who]])
        mean, error = scores[who].mean(), error_of(scores[who])
        cells.append(f"{mean:7.4f} ±{error:.4f} {seconds:6.2f} s ")
    for who in ("mlp", "linear"):
        gap = scores["nncli"] - scores[who]
        mean, error = gap.mean(), error_of(scores[who])
        verdict = "better" if mean > 1e-9 else "equal" if mean > -1e-9 else "worse"
        within = ", within SE" if verdict == "worse" and -mean <= error else ""
        cells.append(f"{mean:+8.4f} {verdict}{within}".ljust(26))
    return " ".join(cells).rstrip()


def main() -> None:
    """Compare, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", default=",".join((*LOADED, *SHIPPED)))
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--draw", type=int, default=0, help="which folds are drawn")
    parser.add_argument("--json", type=Path, help="where scores are written to")
    given = parser.parse_args()
    heads = [f"{'nncli':<24}", f"{'MLP':<24}", f"{'linear':<24}"]
    print(f"{'table':<14}", *heads, f"{'to MLP':<26}", "to linear")
    every = {}
    for name in given.tables.split(","):
        every[name] = compared(name, given.folds, given.draw)
        print(line_of(name, every[name]), flush=True)
    if given.json:
        given.json.write_text(json.dumps(every, indent=2))


if __name__ == "__main__":
    main()
