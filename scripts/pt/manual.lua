--- What pt.help says about functions and methods that are neither ops of the table nor made by pt.define: those
--- written in C, and those that are loaded with a part of the module.

local core = require "pt.core"
local docs = require "pt.define".docs

local entries = {
  -- of the module
  { "Generator", "device...", "a stream of random numbers of its own: pt.randn(3, {generator = pt.Generator()})" },
  { "get_default_dtype", "", "the dtype of floating tensors when none is named; float32 unless set" },
  { "set_default_device", "device:v", "where this thread makes tensors from now on when no device is named" },
  { "get_default_device", "", "where this thread makes tensors when no device is named" },
  { "set_default_dtype", "dtype:y", "what get_default_dtype answers from now on" },
  { "get_num_threads", "", "how many threads loops over tensors may use" },
  { "set_num_threads", "n:i", "how many threads loops over tensors may use, 1 to 256" },
  { "cpu_level", "", "the CPU level whose loops are in use: base, avx2, avx512, avx512_bf16 or amx" },
  { "set_cpu_level", "level:s", "the CPU level whose loops are used from now on, one that the machine has" },
  { "set_conv_winograd", "on:b",
    "whether float32 convolutions by 3x3 windows may use Winograd's algorithm where it is faster; on unless set: "
    .. "errors of 1e-6 to 3e-6 of the largest output are twice those of a direct sum" },
  { "get_conv_winograd", "", "what set_conv_winograd has set" },
  { "set_memory_limit", "bytes:i", "how much memory tensors may take; 0: no limit" },
  { "worker_id", "", "the number of the worker that runs this, from 1; 0 outside of pools" },
  { "to_dlpack", "x:T",
    "a capsule with x for another C module of this Lua, by DLPack 1.1: both see writes; x must not require grad" },
  { "from_dlpack", "capsule:a",
    "a tensor over the memory of another module's tensor, which its capsule hands over once" },
  { "is_tensor", "value:a", "whether a value is a tensor" },
  { "clock", "", "seconds of a clock that only goes forward" },
  { "memory_stats", "", "bytes and counts of live tensors: {live_bytes, peak_bytes, held_bytes, tensors, nodes}" },
  { "pool", "workers:i", "worker threads with a Lua state each: pool:map, pool:starmap, pool:submit" },
  { "expit", "x:A", "pt.special.expit: another name of sigmoid" },
  { "gammaln", "x:A", "pt.special.gammaln: another name of lgamma" },
  -- methods that describe a tensor
  { "size", "x:T dim...", "the size of a dim, or the list of all" },
  { "stride", "x:T dim...", "the step in memory along a dim, in elements, or the list of all" },
  { "dim", "x:T", "the number of dims" },
  { "ndimension", "x:T", "the number of dims" },
  { "numel", "x:T", "the number of elements" },
  { "nelement", "x:T", "the number of elements" },
  { "storage_offset", "x:T", "where x begins in its memory, in elements" },
  { "element_size", "x:T", "bytes of one element" },
  { "data_ptr", "x:T", "the address of the first element" },
  { "is_contiguous", "x:T", "whether x is dense in memory, in row-major order" },
  { "is_floating_point", "x:T", "whether the dtype is one of floats" },
  { "is_complex", "x:T", "whether the dtype is one of complex numbers" },
  { "is_shared", "x:T", "whether writes are seen by all who hold the memory" },
  { "share_memory_", "x:T", "from now on writes are seen by all who hold the memory" },
  { "item", "x:T", "the value of a tensor of one element, as a number or boolean" },
  { "tolist", "x:T", "the elements as nested lists" },
  { "version", "x:T", "how often the memory of x was edited in place" },
  { "close", "x:T", "gives the memory back at once; x is not to be used after" },
  -- methods that convert
  -- gradients
  { "is_inference", "x:T", "whether x was made under pt.inference_mode" },
  { "requires_grad_", "x:T on...", "whether gradients are asked of x; true by default" },
  { "retain_grad", "x:T", "keeps the gradient of x though x is no leaf" },
  { "backward", "x:T gradient:T? retain_graph:b? create_graph:b=false", "adds gradients to the leaves of x" },
  { "detach_", "x:T", "x itself, cut off from its history" },
  -- shapes and places
}

for _, entry in ipairs(entries) do
  local name, sig, help = table.unpack(entry)
  docs[name] = docs[name] or {
    name = name, sig = sig, help = help, kind = sig:find "^%w+:T" and "method" or "function of the module",
    differentiable = true, inplace = false, fn = core.Tensor[name] or core.functions[name] or core[name],
  }
end
for _, name in ipairs { "squeeze", "unsqueeze", "transpose", "swapaxes", "swapdims", "t" } do
  docs[name .. "_"] = {
    name = name .. "_", sig = "x:T ...", help = "x itself under the geometry that " .. name .. " gives",
    kind = "method", differentiable = true, inplace = false, fn = core.Tensor[name .. "_"],
  }
end
