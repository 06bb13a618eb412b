# Written by scripts/stubs.py: do not edit.

from nncli.losses.binary import BinaryCrossEntropy as BinaryCrossEntropy
from nncli.losses.binary import Hinge as Hinge
from nncli.losses.binary import SigmoidBinaryCrossEntropy as SigmoidBinaryCrossEntropy
from nncli.losses.binary import SigmoidFocal as SigmoidFocal
from nncli.losses.classification import CategoricalCrossEntropy as CategoricalCrossEntropy
from nncli.losses.classification import MultiClassHinge as MultiClassHinge
from nncli.losses.classification import SoftmaxCrossEntropy as SoftmaxCrossEntropy
from nncli.losses.classification import SoftmaxFocal as SoftmaxFocal
from nncli.losses.ctc import Ctc as Ctc
from nncli.losses.distribution import KLDivergence as KLDivergence
from nncli.losses.distribution import SoftmaxKLDivergence as SoftmaxKLDivergence
from nncli.losses.regression import Cosine as Cosine
from nncli.losses.regression import Huber as Huber
from nncli.losses.regression import LogCosh as LogCosh
from nncli.losses.regression import LogPoisson as LogPoisson
from nncli.losses.regression import MeanAbsoluteError as MeanAbsoluteError
from nncli.losses.regression import MeanSquaredError as MeanSquaredError
from nncli.losses.regression import Poisson as Poisson
from nncli.losses.regression import SmoothL1 as SmoothL1
