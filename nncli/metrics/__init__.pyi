# Written by scripts/stubs.py: do not edit.

from nncli.metrics.calibration import CalibrationError as CalibrationError
from nncli.metrics.classification import Accuracy as Accuracy
from nncli.metrics.classification import LogLoss as LogLoss
from nncli.metrics.classification import TopK as TopK
from nncli.metrics.counts import BalancedAccuracy as BalancedAccuracy
from nncli.metrics.counts import F1 as F1
from nncli.metrics.counts import Matthews as Matthews
from nncli.metrics.counts import Precision as Precision
from nncli.metrics.counts import Recall as Recall
from nncli.metrics.ranking import AveragePrecision as AveragePrecision
from nncli.metrics.ranking import RocAuc as RocAuc
from nncli.metrics.regression import ExplainedVariance as ExplainedVariance
from nncli.metrics.regression import MeanAbsoluteError as MeanAbsoluteError
from nncli.metrics.regression import MeanAbsolutePercentageError as MeanAbsolutePercentageError
from nncli.metrics.regression import MeanSquaredError as MeanSquaredError
from nncli.metrics.regression import RSquared as RSquared
from nncli.metrics.regression import RootMeanSquaredError as RootMeanSquaredError
from nncli.metrics.sequences import BitsPerCharacter as BitsPerCharacter
from nncli.metrics.sequences import Perplexity as Perplexity
from nncli.metrics.sequences import SequenceAccuracy as SequenceAccuracy
from nncli.metrics.sequences import TokenAccuracy as TokenAccuracy
