"""numpy_host.py: the library in Python by ctypes, with numpy's arrays shared both ways.
usage: python3 numpy_host.py [libptlua.so]      prints ok; needs numpy

An array is lent to the library as it lies in memory (pt_from_host_strided), and kept alive until the last tensor over
it is gone. A tensor becomes an array over the tensor's memory, which holds the tensor. The same by DLPack, which other
libraries of Python take too."""
import ctypes as c
import sys
import weakref

import numpy as np

lib = c.CDLL(sys.argv[1] if len(sys.argv) > 1 else "libptlua.so.0")
DTYPES = {"float32": 0, "float64": 1, "float16": 2, "int64": 4, "int32": 5, "int16": 6, "int8": 7, "uint8": 8, "bool": 9}
NAMES = {code: name for name, code in DTYPES.items()}
P, I64 = c.c_void_p, c.c_int64
RELEASE = c.CFUNCTYPE(None, P)
for name, result, *args in [
    ("pt_error", c.c_char_p), ("pt_scope_begin", c.c_int), ("pt_scope_end", None, c.c_int), ("pt_retain", P, P),
    ("pt_release", None, P), ("pt_data", P, P), ("pt_data_mut", P, P), ("pt_ndim", c.c_int, P), ("pt_size", I64, P, c.c_int),
    ("pt_stride", I64, P, c.c_int), ("pt_dtype_of", c.c_int, P), ("pt_vm_open", P, P), ("pt_vm_close", None, P),
    ("pt_vm_error", c.c_char_p, P), ("pt_vm_run_string", c.c_int, P, c.c_char_p, c.c_size_t, c.c_char_p),
    ("pt_from_host_strided", P, P, P, P, c.c_int, c.c_int, RELEASE, P),
    ("pt_to_dlpack_unversioned", P, P), ("pt_from_dlpack_unversioned", P, P),
]:
    f = getattr(lib, name)
    f.restype, f.argtypes = result, args
lib.pt_vm_call.restype = c.c_int  # its arguments follow the format

lent = {}  # arrays that tensors look at


@RELEASE
def give_back(key):
    del lent[key]


def tensor_of(array):
    """A tensor over the array's memory; of the innermost scope."""
    if any(s % array.itemsize or s < 0 for s in array.strides):
        array = np.ascontiguousarray(array)
    key = id(array)
    while key in lent:
        key += 1
    lent[key] = array
    size = (I64 * array.ndim)(*array.shape)
    stride = (I64 * array.ndim)(*(s // array.itemsize for s in array.strides))
    x = lib.pt_from_host_strided(array.ctypes.data, size, stride, array.ndim, DTYPES[array.dtype.name], give_back, key)
    if not x:
        raise ValueError(lib.pt_error().decode())
    return x


def array_of(x):
    """An array over the tensor's memory, which lives as long as the array."""
    dtype = np.dtype(NAMES[lib.pt_dtype_of(x)])
    dims = range(lib.pt_ndim(x))
    shape = [lib.pt_size(x, d) for d in dims]
    strides = [lib.pt_stride(x, d) * dtype.itemsize for d in dims]
    bytes_ = sum((n - 1) * s for n, s in zip(shape, strides)) + dtype.itemsize if 0 not in shape else 0
    memory = (c.c_char * bytes_).from_address(lib.pt_data_mut(x))
    lib.pt_retain(x)
    weakref.finalize(memory, lib.pt_release, x)
    return np.ndarray(shape, dtype, memory, 0, strides)


# DLPack before 1.0: a capsule named "dltensor", which becomes "used_dltensor" with its consumer.
new_capsule = c.pythonapi.PyCapsule_New
new_capsule.restype, new_capsule.argtypes = c.py_object, [P, c.c_char_p, P]
pointer_of = c.pythonapi.PyCapsule_GetPointer
pointer_of.restype, pointer_of.argtypes = P, [c.py_object, c.c_char_p]
rename = c.pythonapi.PyCapsule_SetName
rename.restype, rename.argtypes = c.c_int, [c.py_object, c.c_char_p]
USED = b"used_dltensor"  # capsules keep the pointer


class Exchange:
    """What np.from_dlpack asks for."""

    def __init__(self, x):
        self.x = x

    def __dlpack__(self, **_):
        return new_capsule(lib.pt_to_dlpack_unversioned(self.x), b"dltensor", None)

    def __dlpack_device__(self):
        return (1, 0)


def tensor_of_dlpack(array):
    capsule = array.__dlpack__()
    x = lib.pt_from_dlpack_unversioned(pointer_of(capsule, b"dltensor"))
    rename(capsule, USED)
    return x


def main():
    vm = lib.pt_vm_open(None)
    script = b"function add_(x, n) return x:add_(n) end function outer(x) return x:unsqueeze(2) * x end"
    scope = lib.pt_scope_begin()
    assert lib.pt_vm_run_string(vm, script, len(script), b"=numpy") == 0, lib.pt_vm_error(vm)

    def call(name, fmt, *args):
        y = P()
        assert lib.pt_vm_call(P(vm), name, fmt, *args, c.byref(y)) == 0, lib.pt_vm_error(vm)
        return y.value

    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    x = tensor_of(a.T)  # strides and all
    call(b"add_", b"Tn>T", P(x), c.c_double(10))
    assert (a == np.arange(6).reshape(2, 3) + 10).all()  # the script wrote into the array
    y = array_of(call(b"outer", b"T>T", P(tensor_of(a[0]))))
    assert (y == np.outer(a[0], a[0])).all()

    z = np.from_dlpack(Exchange(x))
    assert z.shape == (3, 2) and z.ctypes.data == a.ctypes.data
    b = np.ones(4, np.float64)
    call(b"add_", b"Tn>T", P(tensor_of_dlpack(b)), c.c_double(1))
    assert (b == 2).all()

    lib.pt_scope_end(scope)
    lib.pt_vm_close(vm)
    assert y[1, 1] == a[0, 1] ** 2  # holds its tensor
    del z
    assert not lent, "arrays that were not given back"
    print("ok")


main()
