"""First values of weights."""

from nncli.core.registry import namespace

__getattr__, __dir__ = namespace("initializer", __name__)
