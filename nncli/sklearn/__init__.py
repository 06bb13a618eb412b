"""Classifier and regressor for scikit-learn: pipelines, grids and cross-validation."""

from nncli.core.errors import MissingExtra

try:
    from nncli.sklearn.classifier import NNClassifier
    from nncli.sklearn.regressor import NNRegressor
except ModuleNotFoundError as error:
    raise MissingExtra("nncli.sklearn", "scikit-learn", "sklearn") from error

__all__ = ["NNClassifier", "NNRegressor"]
