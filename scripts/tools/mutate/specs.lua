-- specs.lua: which specs are likely to notice damage of a source file, the likeliest first.

local specs = {}

-- The first row that matches counts. `ops:mm,conv` are the rows of ops_spec whose names begin so; `ops` those of the
-- ops that the file defines.
local specs_of = {
  { "^kernels/cpu/product", "products ops:mm,bmm,matmul,linear,mv functional" },
  { "^kernels/cpu/blocks", "blocks ops:linear_blocks,dequantize,quantize" },
  { "^kernels/cpu/conv", "conv ops:conv functional" },
  { "^kernels/cpu/attention", "edges ops:attention,scaled_dot functional_sequence" },
  { "^kernels/cpu/pooling", "ops:max_pool,avg_pool functional_rules functional" },
  { "^kernels/cpu/fft", "fft" },
  { "^kernels/cpu/norm", "edges ops:row_norm,batch_norm functional functional_rules" },
  { "^kernels/cpu/optim", "optim_rules optim edges" },
  { "^kernels/cpu/random", "random twin ops:random,randperm" },
  { "^kernels/cpu/reduce",
    "edges corners scalar ops:sum,prod,mean,am,arg,any,all,cum,max_dim,min_dim functions promises" },
  { "^kernels/cpu/rnn", "edges ops:rnn functional_sequence" },
  { "^kernels/cpu/softmax", "edges corners ops:softmax,log_softmax,cross_entropy functional_losses" },
  { "^kernels/cpu/sort", "functions ops:sort,topk,kthvalue,median,searchsorted,cum meaning promises" },
  { "^kernels/cpu/copy", "functions promotion scalar ops:contiguous,clone,to_dtype,copy,cat formats" },
  { "^kernels/cpu/elementwise", "promotion scalar corners complex ops:add,mul,where,clamp,exp,eq functions" },
  { "^kernels/cpu/ctc", "ops:ctc functional_losses" },
  { "^kernels/cpu/.*blas", "products linalg complex_linalg" },
  { "^kernels/cpu/lapack", "linalg complex_linalg ops:linalg" },
  { "^kernels/cpu/nll", "edges ops:nll,cross functional_losses corners" },
  { "^kernels/cpu/scatter", "scatter ops:scatter,index,gather" },
  { "^kernels/cpu/index", "functions ops:index,gather,scatter,masked,nonzero scatter" },
  { "^kernels/cpu", "functions scalar promotion corners ops:sum,add,mm,softmax,sort,cum,conv" },
  { "^engine/ops/random", "random ops create" },
  { "^engine/ops/linalg", "linalg ops complex_linalg functions" },
  { "^engine/ops/complex", "complex complex_functions ops complex_linalg fft" },
  { "^engine/ops/conv", "conv ops functional golden" },
  { "^engine/ops/blocks", "blocks ops formats" },
  { "^engine/ops/shape", "views functions ops:select,slice,narrow,as_strided,permute,expand,squeeze,reshape" },
  { "^engine/ops/support", "views functions ops:add,sum,mm,cat,index,sort,expand,reshape corners" },
  { "^engine/ops/[arn].*", "ops functions functional functional_sequence golden meaning" },
  { "^engine/ops", "ops functions golden corners meaning functional functional_rules" },
  { "^engine/comm", "distributed ddp" },
  { "^engine/jobs", "pool pool_stress parallel" },
  { "^engine/io/json", "serialize tokenizers formats" },
  { "^engine/io/safetensors", "serialize formats formats_damage" },
  { "^engine/io/[ijp]", "images data data_more" },
  { "^engine/io/file", "serialize files" },
  { "^engine/io", "serialize formats data images formats_damage" },
  { "^engine/http", "http serve" },
  { "^engine/optimizer", "c:training optim" },
  { "^engine/plugin", "device device_runtime" },
  { "^engine/rng", "random twin create" },
  { "^engine/optim", "optim optim_rules" },
  { "^engine/backward", "autograd function hosts memory promises ops:mul,sum" },
  { "^engine/dlpack", "dlpack" },
  { "^engine/function", "function autograd" },
  { "^engine/checkpoint", "autograd exhaustion" },
  { "^engine/autocast", "amp" },
  { "^engine/dtype", "promotion scalar complex functions" },
  { "^engine/[de].*", "device device_runtime functions autograd" },
  { "^engine/elementwise", "promotion scalar complex functions golden ops:add" },
  { "^engine/[cehn].*", "autograd golden functions function exhaustion memory device complex" },
  { "^engine/[fips].*", "functions autograd promises exhaustion memory random device_runtime pool ops:add,sum" },
  { "", "functions autograd memory meaning golden exhaustion create device_runtime pool ops:view,narrow,add" },
}

-- Of what tensors compute, and of all else that the engine does: specs that take a second or less.
local of_tensors = [[
  views functional functional_losses functional_sequence functional_rules meaning scatter einsum blocks
  promotion complex complex_functions complex_linalg golden optim optim_rules corners scalar linalg create
  special random golden_bits twin autograd functions conv ]]
local of_engine = [[
  function dlpack memory c:training c:tensors c:autograd c:stream serialize nn nn_utils func print state_dict
  layers_use images data exhaustion device c:vm networks formats amp hosts http pool c:host_api ]]

--- Names of specs: files of spec/ without `_spec.lua`, `ops` with names of rows, `c:` with names of programs.
---@param source string
---@return string
function specs.of(source)
  for _, row in ipairs(specs_of) do
    if source:find(row[1]) then return row[2] end
  end
end

--- What is shown a mutant that none of those noticed.
---@param source string
---@return string
function specs.others(source)
  return source:find "^engine" and of_engine .. of_tensors or of_tensors
end

--- The options that choose rows of ops_spec, of `ops` by the functions that the text of the source defines.
---@param spec string
---@param text string
---@return string
function specs.filters(spec, text)
  local out = {}
  if spec == "ops" then
    for _, end_of in ipairs { "run", "vjp", "complex" } do
      for op in text:gmatch("([%w_]+)_" .. end_of .. "%(") do out[#out + 1] = "op table: " .. op .. " " end
    end
    if #out == 0 then return specs.filters("ops:add,sum,mm,view,cat,index,sort", text) end
  else
    for op in spec:match ":(.*)":gmatch "[^,]+" do out[#out + 1] = "op table: " .. op end
  end
  return "--filter='" .. table.concat(out, "' --filter='") .. "'"
end

return specs
