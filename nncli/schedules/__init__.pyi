# Written by scripts/stubs.py: do not edit.

from nncli.schedules.cycles import CosineRestarts as CosineRestarts
from nncli.schedules.cycles import Cyclic as Cyclic
from nncli.schedules.cycles import OneCycle as OneCycle
from nncli.schedules.decay import Constant as Constant
from nncli.schedules.decay import Cosine as Cosine
from nncli.schedules.decay import Exponential as Exponential
from nncli.schedules.decay import InverseSqrt as InverseSqrt
from nncli.schedules.decay import InverseTime as InverseTime
from nncli.schedules.decay import Linear as Linear
from nncli.schedules.decay import Polynomial as Polynomial
from nncli.schedules.decay import Step as Step
from nncli.schedules.piecewise import Piecewise as Piecewise
from nncli.schedules.plateau import Plateau as Plateau
from nncli.schedules.warmup import Warmup as Warmup
