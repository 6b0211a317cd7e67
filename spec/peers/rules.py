"""How a call of PyTorch reads in ptlua: positions count from 1, options stand in a last table.

The facts of this file are names: parameters that hold dims, parameters and results that hold positions. All else is
general.
"""

# Parameters that hold dims. A negative dim means the same on both sides.
DIMS = {"dim", "dims", "dim0", "dim1", "dim2", "axis", "axis0", "axis1", "start_dim", "end_dim", "dimension"}
# Parameters with these names hold dims only in the functions named.
DIMS_OF = {
    "source": {"movedim", "moveaxis"}, "destination": {"movedim", "moveaxis"},
}
# Parameters that hold positions (ids): integers or integer tensors.
IDS_OF = {
    "index": {"select", "select_scatter", "index_select", "gather", "scatter", "scatter_add", "scatter_reduce", "index_add",
              "index_copy", "index_fill", "index_reduce", "take", "put", "put_"},
    "indices": {"unravel_index", "take_along_dim", "index_put", "hsplit", "vsplit", "dsplit", "nn.functional.max_unpool1d", "nn.functional.max_unpool2d",
                "nn.functional.max_unpool3d", "tensor_split"},
    "indices_or_sections": {"tensor_split", "hsplit", "vsplit", "dsplit"},
    "tensor_indices_or_sections": {"tensor_split"},
    "start": {"narrow", "slice", "slice_scatter"},
    "target": {"nn.functional.nll_loss", "nn.functional.cross_entropy", "nn.functional.multi_margin_loss",
               "nn.functional.multilabel_margin_loss", "nn.functional.linear_cross_entropy"},
    "targets": {"nn.functional.ctc_loss"},
    "blank": {"nn.functional.ctc_loss"},
    "input": {"nn.functional.embedding", "nn.functional.embedding_bag", "nn.functional.one_hot", "bincount"},
    "self": {"nn.functional.one_hot", "bincount"},
    "padding_idx": {"nn.functional.embedding", "nn.functional.embedding_bag"},
    "offsets": {"nn.functional.embedding_bag"},
    "ignore_index": {"nn.functional.nll_loss", "nn.functional.cross_entropy", "nn.functional.linear_cross_entropy"},
}
# Results that are positions: by place, from 1.
ID_RESULTS = {
    **{name: (1,) for name in """argmax argmin argsort nonzero argwhere tril_indices triu_indices searchsorted bucketize
       multinomial randperm""".split()},
    **{name: (2,) for name in """sort topk kthvalue mode cummax cummin nn.functional.adaptive_max_pool1d
       nn.functional.adaptive_max_pool2d nn.functional.adaptive_max_pool3d nn.functional.max_pool1d
       nn.functional.max_pool2d nn.functional.max_pool3d nanmedian median max min""".split()},
    "unique": (2,), "unique_consecutive": (2,), "where": (1, 2, 3, 4), "unravel_index": (1, 2, 3, 4),
}
# They are positions in some calls only: the test of the call's arguments.
ID_RESULTS_IF = {
    "unique": lambda args, kwargs: kwargs.get("return_inverse", len(args) > 2 and args[2]),
    "unique_consecutive": lambda args, kwargs: kwargs.get("return_inverse", len(args) > 1 and args[1]),
    "where": lambda args, kwargs: len(args) == 1,
}
# Parameters of PyTorch's past.
PAST = {"size_average", "reduce", "_stacklevel", "rcond"}

# Functions that draw: their results agree in dtype and shape alone.
RANDOM = {
    "bernoulli", "multinomial", "normal", "rand", "rand_like", "randn", "randn_like", "randint", "randint_like", "randperm",
    "nn.functional.dropout", "nn.functional.dropout2d", "nn.functional.dropout3d", "nn.functional.alpha_dropout",
    "nn.functional.feature_alpha_dropout", "nn.functional.gumbel_softmax", "nn.functional.fractional_max_pool2d",
    "nn.functional.fractional_max_pool3d", "nn.functional.rrelu", "nn.functional.multi_head_attention_forward",
    "empty", "empty_like", "new_empty",
    "empty_strided",
}
# Results that are given up to a sign or a turn: which of them can be compared as they are.
DETERMINED = {"linalg.eigh": (1,), "linalg.svd": (2,), "linalg.eig": (), "linalg.eigvals": (), "linalg.qr": (),
              "qr": (), "geqrf": ()}
# Operators of the table whose arguments stand in another order than those of the function: the order of their own.
ORDER = {
    "einsum": (1, 0), "polygamma": (1, 0), "special.polygamma": (1, 0), "where": (1, 0, 2),
    "nn.functional.embedding": (1, 0), "nn.functional.embedding_bag": (1, 0),
}
# Operators of the table that call more than their name says; they are left out.
LEFT_OUT = {"linalg.pinv.singular", "svd_lowrank", "pca_lowrank", "zero_", "resize_", "resize_as_"}
# Functions of any number of arguments, whose names in the schema are of no call.
VARIADIC = {"broadcast_shapes"}
# Operators of the table that are methods.
METHODS = {"normal.in_place": ":normal_"}
# Parameters that have another name here: those that are words of Lua, and overloads that are one parameter here.
RENAMED = {
    **{(name, "end"): "stop" for name in ("arange", "linspace", "logspace")},
    **{("tensor_split", name): "indices_or_sections" for name in ("indices", "sections", "tensor_indices_or_sections")},
    ("searchsorted", "self"): "input",
}
# What a method is called in Lua.
SPELLED = {":repeat": '["repeat"]'}
# Results of PyTorch beyond the first so many are not asked for.
FIRST_RESULTS = {"linalg.lstsq": 2}
# Parameters at which a range ends: excluded in PyTorch, included in ptlua.
ENDS = {("slice", "end"), ("slice_scatter", "end")}


def is_dim(name, parameter):
    if parameter == "dims" and name in ("tile", "repeat", "tensordot"):  # counts; of tensordot dims where they are lists
        return False
    return parameter in DIMS or name in DIMS_OF.get(parameter, ())


def is_id(name, parameter):
    return name in IDS_OF.get(parameter, ())
