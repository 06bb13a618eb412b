# Written by scripts/stubs.py: do not edit.

from nncli.optimizers.adam import Adam as Adam
from nncli.optimizers.adam import AdamW as AdamW
from nncli.optimizers.adam_family import AdaMax as AdaMax
from nncli.optimizers.adam_family import NAdam as NAdam
from nncli.optimizers.adam_family import RAdam as RAdam
from nncli.optimizers.adaptive import Adadelta as Adadelta
from nncli.optimizers.adaptive import Adagrad as Adagrad
from nncli.optimizers.adaptive import RmsProp as RmsProp
from nncli.optimizers.lamb import Lamb as Lamb
from nncli.optimizers.lbfgs import Lbfgs as Lbfgs
from nncli.optimizers.lion import Lion as Lion
from nncli.optimizers.sgd import Sgd as Sgd
