# Written by scripts/stubs.py: do not edit.

from nncli.initializers.constant import Constant as Constant
from nncli.initializers.constant import Ones as Ones
from nncli.initializers.constant import Zeros as Zeros
from nncli.initializers.matrices import Identity as Identity
from nncli.initializers.matrices import Orthogonal as Orthogonal
from nncli.initializers.random import GlorotNormal as GlorotNormal
from nncli.initializers.random import GlorotUniform as GlorotUniform
from nncli.initializers.random import HeNormal as HeNormal
from nncli.initializers.random import HeUniform as HeUniform
from nncli.initializers.random import LecunNormal as LecunNormal
from nncli.initializers.random import LecunUniform as LecunUniform
from nncli.initializers.random import Normal as Normal
from nncli.initializers.random import TruncatedNormal as TruncatedNormal
from nncli.initializers.random import Uniform as Uniform
