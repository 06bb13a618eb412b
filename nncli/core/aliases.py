"""What other libraries and habits call things that have one name here; for hints."""

from __future__ import annotations

_ALIASES: dict[str, str] = {
    # Each line: the name here, then what it is called elsewhere, as ``folded`` has it.
    # Sections and their keys.
    "accumulate": "gradientaccumulation accumulategradbatches accumulationsteps",
    "average": "ema swa movingaverage weightaverage polyak emadecay",
    "batch_size": "batch batches batchsz minibatch bs",
    "clip_norm": "gradclip clipgradnorm maxgradnorm gradientclipping clipnorm",
    "clip_value": "clipgradvalue clipvalue",
    "dataset": "data datasets",
    "early_stopping": "earlystop stopearly",
    "epochs": "epoch nepochs numepochs maxepochs maxiter iterations",
    "evaluate_every": "evalevery validateevery evalinterval validationfreq",
    "layers": "model network net modules architecture",
    "metrics": "metric scores scoring",
    "optimizer": "optim optimiser solver",
    "plugins": "plugin imports",
    "precision": "dtype floatx",
    "schedule": "scheduler lrscheduler lrschedule learningrateschedule",
    "seed": "randomstate randomseed manualseed",
    "split": "splits validationsplit",
    "test": "testsize testsplit testfraction",
    "training": "train fit trainer",
    "transforms": "transform preprocessing preprocess",
    "validation": "val valid valsplit validationsplit validationfraction valsize",
    # Arguments.
    "affine": "elementwiseaffine",
    "axis": "dim",
    "ceil_mode": "ceil",
    "count_padding": "countincludepad",
    "features": "inputs inputcolumns featurecolumns",
    "factor": "scalefactor upscalefactor size blocksize",
    "groups": "numgroups group featuregroupcount",
    "kernel": "kernelsize poolsize size windowsize ksize filtersize kernelshape",
    "norm": "normtype",
    "padding": "pad paddings pads border",
    "stride": "strides step",
    "beta1": "b1 betas beta1power",
    "beta2": "b2 beta2power",
    "bias": "usebias fitintercept",
    "dilation": "dilationrate dilations",
    "filters": "outchannels channels outputchannels",
    "output_padding": "outputpadding",
    "padding_mode": "paddingmode padmode bordermode",
    "class_weights": "classweight weight weights",
    "eps": "epsilon",
    "ignore_label": "ignoreindex ignoreclass",
    "init": "initializer initialization kernelinitializer weightinit kernelinit",
    "l2": "kernelregularizer regularizer weightpenalty alpha",
    "label_smoothing": "smoothing labelsmooth",
    "lr": "learningrate stepsize rate eta lr0",
    "patience": "nochange niternochange",
    "positive_weight": "posweight",
    "rate": "p prob probability droprate dropoutrate dropprob",
    "slope": "negativeslope alpha",
    "std": "stddev sigma scale",
    "threshold": "mindelta",
    "units": "outfeatures outputs size width neurons hidden hiddensize outputdim",
    "weight_decay": "l2 decay wd l2penalty",
    # Layers.
    "adaptive_average_pool1d": "adaptiveavgpool1d adaptiveaveragepooling1d",
    "adaptive_average_pool2d": "adaptiveavgpool2d adaptiveaveragepooling2d",
    "adaptive_average_pool3d": "adaptiveavgpool3d adaptiveaveragepooling3d",
    "adaptive_max_pool1d": "adaptivemaxpooling1d",
    "adaptive_max_pool2d": "adaptivemaxpooling2d",
    "adaptive_max_pool3d": "adaptivemaxpooling3d",
    "average_pool1d": "avgpool1d averagepooling1d",
    "average_pool2d": "avgpool2d averagepooling2d avgpool averagepooling averagepool",
    "average_pool3d": "avgpool3d averagepooling3d",
    "batch_norm": "bn batchnormalization batchnorm1d batchnorm2d batchnorm3d",
    "conv1d": "convolution1d convolution conv",
    "conv2d": "convolution2d convolution conv separableconv2d depthwiseconv2d",
    "conv3d": "convolution3d convolution conv",
    "conv_transpose1d": "convtranspose1d deconv1d conv1dtranspose deconvolution1d",
    "conv_transpose2d": (
        "convtranspose2d deconv2d conv2dtranspose deconvolution2d deconv upconv"
    ),
    "conv_transpose3d": "convtranspose3d deconv3d conv3dtranspose deconvolution3d",
    "dense": "linear fc fullyconnected affine innerproduct",
    "gaussian_noise": "noise",
    "global_average_pool": (
        "globalaveragepooling1d globalaveragepooling2d globalaveragepooling3d "
        "globalavgpool globalavgpool1d globalavgpool2d globalavgpool3d gap"
    ),
    "global_max_pool": (
        "globalmaxpooling1d globalmaxpooling2d globalmaxpooling3d globalmaxpool1d "
        "globalmaxpool2d globalmaxpool3d gmp"
    ),
    "group_norm": "gn groupnormalization",
    "hard_swish": "hardsilu",
    "hard_tanh": "hardtanh clip",
    "instance_norm": (
        "instancenormalization instancenorm1d instancenorm2d instancenorm3d"
    ),
    "layer_norm": "ln layernormalization",
    "leaky_relu": "lrelu",
    "local_response_norm": "lrn localresponsenormalization",
    "lp_pool1d": "lppooling1d powerpool1d",
    "lp_pool2d": "lppooling2d powerpool2d",
    "lp_pool3d": "lppooling3d powerpool3d",
    "max_pool1d": "maxpooling1d",
    "max_pool2d": "maxpooling2d maxpool maxpooling",
    "max_pool3d": "maxpooling3d",
    "pad": (
        "zeropad1d zeropad2d zeropad3d zeropadding1d zeropadding2d zeropadding3d "
        "constantpad1d constantpad2d constantpad3d reflectionpad1d reflectionpad2d "
        "reflectionpad3d replicationpad1d replicationpad2d replicationpad3d "
        "circularpad1d circularpad2d circularpad3d padding"
    ),
    "permute": "transpose",
    "pixel_shuffle": "depthtospace subpixel",
    "prelu": "parametricrelu",
    "rms_norm": "rmsnormalization",
    "sequential": "block seq",
    "spatial_dropout": (
        "dropout1d dropout2d dropout3d spatialdropout1d spatialdropout2d "
        "spatialdropout3d channeldropout featuredropout"
    ),
    "upsample": (
        "upsampling1d upsampling2d upsampling3d upsamplingnearest2d "
        "upsamplingbilinear2d interpolate resize"
    ),
    "parallel": "concat concatenate add branches fork",
    "residual": "skip shortcut resnetblock",
    "sigmoid": "logistic",
    "silu": "swish swish1",
    # Losses and metrics.
    "binary_cross_entropy": "bce bceloss binarycrossentropy",
    "sigmoid_binary_cross_entropy": "bcewithlogits bcewithlogitsloss",
    "softmax_cross_entropy": (
        "crossentropy crossentropyloss ce xent nll nllloss logloss "
        "sparsecategoricalcrossentropy"
    ),
    "kl_divergence": "kl kld kldiv kldivloss kullbackleiblerdivergence",
    "mae": "l1 l1loss meanabsoluteerror absoluteerror",
    "mse": "l2 mseloss meansquarederror squarederror l2loss",
    "rmse": "rootmeansquarederror",
    "mape": "meanabsolutepercentageerror",
    "huber": "huberloss",
    "smooth_l1": "smoothl1loss",
    "multi_class_hinge": "multimarginloss categoricalhinge",
    "poisson": "poissonloss",
    "log_poisson": "poissonnllloss",
    "sigmoid_focal": "focal binaryfocalcrossentropy focalloss",
    "softmax_focal": "focal categoricalfocalcrossentropy focalloss",
    "cosine": (
        "cosinesimilarity cosineembeddingloss cosineannealing cosineannealinglr "
        "cosinedecay"
    ),
    "log_loss": "crossentropy nll",
    "accuracy": "acc categoricalaccuracy binaryaccuracy accuracyscore",
    "f1": "f1score fscore",
    "matthews": "mcc matthewscorrcoef",
    "roc_auc": "auc auroc rocaucscore",
    "average_precision": "ap prauc",
    "r2": "r2score rsquared",
    "top_k": "topk topkaccuracy topkcategoricalaccuracy",
    # Schedules.
    "constant": "none fixed",
    "cosine_restarts": "cosineannealingwarmrestarts sgdr cosinedecayrestarts",
    "cyclic": "cycliclr",
    "exponential": "exponentiallr exponentialdecay",
    "inverse_time": "inversetimedecay timedecay",
    "linear": "linearlr lineardecay",
    "one_cycle": "onecyclelr onecycle superconvergence",
    "piecewise": "multisteplr piecewiseconstantdecay multistep",
    "plateau": "reducelronplateau",
    "polynomial": "polynomiallr polynomialdecay poly",
    "step": "steplr stepdecay",
    "warmup": "linearwarmup warmuplr",
    # Initializers.
    "glorot_normal": "xaviernormal xavier glorot",
    "glorot_uniform": "xavieruniform xavier glorot",
    "he_normal": "kaimingnormal kaiming he",
    "he_uniform": "kaiminguniform kaiming he",
    "normal": "randomnormal gaussian",
    "uniform": "randomuniform",
    "truncated_normal": "truncnormal",
    "zeros": "zero",
    "ones": "one",
    "identity": "eye passthrough noop",
    # Transforms.
    "standardize": "standardscaler standard normalize zscore",
    "scale": (
        "minmaxscaler minmax rescale squeezeexcite squeezeandexcite "
        "squeezeexcitation seblock"
    ),
}

_REMARKS: dict[str, str] = {
    "none": "Leave it out.",
    "activation": "An activation is a layer of its own: put it behind this one.",
    "inputshape": "Input sizes are inferred: leave it out.",
    "inputdim": "Input sizes are inferred: leave it out.",
    "inputs": "Input sizes are inferred: leave it out.",
    "infeatures": "Input sizes are inferred: leave it out.",
    "inchannels": "Input sizes are inferred: leave it out.",
    "inputsize": "Input sizes are inferred: leave it out.",
    "numfeatures": "Input sizes are inferred: leave it out.",
    "shuffle": "Training rows are always shuffled: leave it out.",
    "inplace": "Leave it out: the engine reuses memory by itself.",
    "device": "Everything runs on the processor: leave it out.",
    "verbose": "Progress is shown on a terminal by itself: leave it out.",
    "fromlogits": "Leave it out: the loss's name says what it takes.",
}


def folded(name: str) -> str:
    """Return a name without case, underscores, hyphens and spaces: ``batchnorm1d``."""
    return "".join(c for c in name.casefold() if c.isalnum())


def meant(name: str, names: list[str]) -> list[str]:
    """Return those of some names that are known elsewhere by another name."""
    wanted = folded(name)
    same = [each for each in names if folded(each) == wanted]
    return same or [
        each for each in names if wanted in _ALIASES.get(each, "").split() and wanted
    ]


def remark(name: str) -> str:
    """Say what to do about something that has no name here, or return nothing."""
    return _REMARKS.get(folded(name), "")


def known_names() -> list[str]:
    """Return every name that the table gives another name for."""
    return list(_ALIASES)
