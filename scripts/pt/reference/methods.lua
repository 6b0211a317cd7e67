-- Examples of methods, modes and settings: see reference.lua.
return [==[
= Generator
> print(pt.randn(2, { generator = pt.Generator() }).shape)
[2]
> pt.rand(2, { generator = pt.Generator({ like = "pytorch" }):manual_seed(7) })
tensor([0.5349, 0.1988])

= angle
> pt.tensor({ -1.0, 1 }):angle()
tensor([3.1416, 0.0000])

= apply_
> pt.tensor({ 1.0, 4 }):apply_(function(v) return v * 10 end)
tensor([10., 40.])

= backward
> local w = pt.tensor({ 2.0 }, { requires_grad = true })
> w:pow(2):sum():backward()
> w.grad
tensor([4.])

= bfloat16
> pt.tensor({ 1.5 }):bfloat16()
tensor([1.5000], dtype=pt.bfloat16)

= bool
> pt.tensor({ 0, 2 }):bool()
tensor([False,  True])

= byte
> pt.tensor({ 1.9, 200 }):byte()
tensor([  1, 200], dtype=pt.uint8)

= cdouble
> pt.tensor({ 1.0 }):cdouble().dtype
complex128

= cfloat
> pt.tensor({ 1.0 }):cfloat()
tensor([1.+0.j])

= char
> pt.tensor({ 1.9, -3 }):char()
tensor([ 1, -3], dtype=pt.int8)

= clock
> pt.clock() <= pt.clock()
true

= close
> local x = pt.zeros(1000, 1000)
> x:close()

= complex
> pt.complex(pt.tensor { 1.0 }, pt.tensor { 2.0 })
tensor([1.+2.j])

= conj
> pt.complex(pt.tensor { 1.0 }, pt.tensor { 2.0 }):conj()
tensor([1.-2.j])

= contiguous
> pt.ones(2, 3):t():contiguous():stride()
[2, 1]

= cpu
> pt.ones(1):cpu().device
cpu

= cpu_level
> type(pt.cpu_level())
string

= cross_entropy
> pt.cross_entropy(pt.tensor { { 2.0, 0, 0 } }, pt.tensor { 1 })
tensor(0.2395)

= cuda
> pt.cuda.is_available() and pt.ones(1):cuda().device or "no GPU"
no GPU

= data_ptr
> math.type(pt.ones(1):data_ptr())
integer

= detach
> pt.ones(1, { requires_grad = true }):detach().requires_grad
false

= detach_
> (pt.ones(1, { requires_grad = true }) * 2):detach_().requires_grad
false

= dim
> pt.ones(2, 3):dim()
2

= dot
> pt.tensor({ 1, 2 }):dot(pt.tensor { 3, 4 })
tensor(11)

= lerp_
> pt.tensor({ 0.0, 2.0 }):lerp_(pt.tensor { 10.0, 4.0 }, 0.25)
tensor([2.5000, 2.5000])

= scatter_
> pt.zeros(3):scatter_(1, pt.tensor { 2 }, { value = 7 })
tensor([0., 7., 0.])

= index_add_
> pt.zeros(3):index_add_(1, pt.tensor { 1, 1 }, pt.tensor { 5.0, 6 })
tensor([11.,  0.,  0.])

= div_
> pt.tensor({ 5.0, 6 }):div_(2)
tensor([2.5000, 3.0000])

= double
> pt.tensor({ 1 }):double()
tensor([1.], dtype=pt.float64)

= element_size
> pt.zeros(1):element_size()
4

= flatten
> pt.ones(2, 3, 4):flatten(2).shape
[2, 12]

= float
> pt.tensor({ 1 }):float()
tensor([1.])

= get_default_device
> pt.get_default_device()
cpu

= get_conv_winograd
> pt.get_conv_winograd()
true

= get_default_dtype
> pt.get_default_dtype()
float32

= get_num_threads
> pt.get_num_threads() >= 1
true

= half
> pt.tensor({ 1.5 }):half()
tensor([1.5000], dtype=pt.float16)

= imag
> pt.complex(pt.tensor { 1.0 }, pt.tensor { 2.0 }):imag()
tensor([2.])

= int
> pt.tensor({ 1.9 }):int()
tensor([1], dtype=pt.int32)

= is_complex
> pt.ones(1):is_complex()
false

= is_contiguous
> pt.ones(2, 3):t():is_contiguous()
false

= is_floating_point
> pt.ones(1):is_floating_point()
true

= is_inference
> pt.ones(1):is_inference()
false

= is_pinned
> pt.ones(1):is_pinned()
false

= is_shared
> pt.ones(1):share_memory_():is_shared()
true

= to_dlpack
from: torch.utils.dlpack.to_dlpack
> x = pt.zeros(2)
> pt.from_dlpack(pt.to_dlpack(x)):fill_(3)
> x
tensor([3., 3.])

= from_dlpack
from: torch.from_dlpack
> pt.from_dlpack(pt.to_dlpack(pt.arange(3))):tolist()
{ 0, 1, 2 }

= is_tensor
> pt.is_tensor(5)
false

= item
> pt.tensor({ 2.5 }):item()
2.5

= load(path, {map = false, device, dtype})
What is in a file, whose format is told by what it holds: named tensors of safetensors, npz, GGUF and
PyTorch's files, with tables around them; the tensor of an npy, IDX, PNG, JPEG or WAV file; tables of
Torch7. Second, the file's metadata. Nothing in a file is ever run. map: tensors share the file's
pages, which must not change meanwhile; dtype is for floats.
> local path = os.tmpname()
> pt.save({ w = pt.ones(2) }, path)
> pt.load(path).w
tensor([1., 1.])

= long
> pt.tensor({ 1.9 }):long()
tensor([1])

= manual_seed
> pt.manual_seed(1)
> local a = pt.rand(2)
> pt.manual_seed(1)
> print(pt.rand(2):equal(a))
true
> pt.manual_seed(7, { like = "pytorch" }) -- what torch.manual_seed(7); torch.randn(3) gives
> pt.randn(3)
tensor([-0.1468,  0.7861,  0.9468])

= map_
> pt.tensor({ 1.0, 4 }):map_(pt.tensor { 2.0, 3 }, math.max)
tensor([2., 4.])

= masked_select
> pt.tensor({ 1, 2, 3 }):masked_select(pt.tensor { true, false, true })
tensor([1, 3])

= memory_stats
> pt.memory_stats().tensors >= 0
true

= mse_loss
> pt.mse_loss(pt.tensor { 1.0, 2 }, pt.tensor { 1.0, 4 })
tensor(2.)

= mv
> pt.eye(2):mv(pt.tensor { 5.0, 6 })
tensor([5., 6.])

= nbytes
> pt.ones(2, 3):nbytes()
24

= ndimension
> pt.ones(2, 3):ndimension()
2

= nelement
> pt.ones(2, 3):nelement()
6

= new_empty
> pt.ones(1):new_empty({ 2, 3 }).shape
[2, 3]

= new_full
> pt.ones(1):new_full({ 2 }, 7)
tensor([7., 7.])

= new_ones
> pt.zeros(1, { dtype = pt.int64 }):new_ones { 2 }
tensor([1, 1])

= new_rand
> pt.ones(1):new_rand({ 2 }).shape
[2]

= new_randn
> pt.ones(1):new_randn({ 2 }).shape
[2]

= new_tensor
> pt.ones(1):new_tensor { 1, 2 }
tensor([1., 2.])

= new_zeros
> pt.ones(1):new_zeros { 2 }
tensor([0., 0.])

= nll_loss
> pt.nll_loss(pt.tensor { { -0.5, -2 } }, pt.tensor { 1 })
tensor(0.5000)

= numel
> pt.ones(2, 3):numel()
6

= pin_memory
> pt.cuda.is_available() and pt.ones(1):pin_memory():is_pinned()
false

= polar
> pt.polar(pt.tensor { 1.0 }, pt.tensor { 0.0 })
tensor([1.+0.j])

= pool
> local pool <close> = pt.pool(2)
> table.concat(pool:map(function(x) return x * x end, { 1, 2, 3 }), " ")
1 4 9

= real
> pt.complex(pt.tensor { 1.0 }, pt.tensor { 2.0 }):real()
tensor([1.])

= record_stream
> if pt.cuda.is_available() then pt.ones(1, { device = "cuda" }):record_stream(pt.cuda.current_stream()) end

= register_hook
> local w = pt.ones(1, { requires_grad = true })
> w:register_hook(function(grad) return grad * 10 end)
> w:sum():backward()
> w.grad
tensor([10.])

= register_post_accumulate_grad_hook
> local w = pt.ones(1, { requires_grad = true })
> w:register_post_accumulate_grad_hook(function(p) print(p.grad) end)
> w:sum():backward()
tensor([1.])

= repeat
> local x = pt.tensor { 1, 2 }
> x["repeat"](x, 2)
tensor([1, 2, 1, 2])

= requires_grad_
> pt.ones(1):requires_grad_().requires_grad
true

= resize_
> pt.range(1, 4):resize_(2, 2)
tensor([[1, 2],
        [3, 4]])

= resize_as_
> pt.range(1, 4):resize_as_(pt.ones(2, 2))
tensor([[1, 2],
        [3, 4]])

= retain_grad
> local w = pt.ones(1, { requires_grad = true })
> local y = w * 2
> y:retain_grad()
> y:sum():backward()
> y.grad
tensor([1.])

= rows
> for i, row in pt.tensor({ { 1, 2 }, { 3, 4 } }):rows() do print(i, row) end
1  tensor([1, 2])
2  tensor([3, 4])

= save(value, path, [metadata], {quantize})
Writes tensors in the format that the end of the path names: .pt, .pth and .bin for torch.load (tables
of anything), .npy, .npz, .gguf (quantize = "F16", "Q8_0" or "Q4_0"), else safetensors. Completely, or
the old file stays as it was.
> local path = os.tmpname()
> pt.save({ w = pt.ones(2) }, path)
> pt.load(path).w
tensor([1., 1.])

= scaled_dot_product_attention
> F.scaled_dot_product_attention(pt.ones(1, 2, 4), pt.ones(1, 3, 4), pt.ones(1, 3, 4)).shape
[1, 2, 4]

= set_conv_winograd
> pt.set_conv_winograd(true)

= set_cpu_level
> pt.set_cpu_level(pt.cpu_level())

= set_default_device
> pt.set_default_device "cpu"

= set_default_dtype
> pt.set_default_dtype(pt.float64)
> local dtype = pt.ones(1).dtype
> pt.set_default_dtype(pt.float32)
> dtype
float64

= set_memory_limit
> pt.set_memory_limit(2 ^ 40 // 1)
> pt.set_memory_limit(0)

= set_num_threads
> pt.set_num_threads(pt.get_num_threads())

= share_memory_
> pt.ones(1):share_memory_():is_shared()
true

= short
> pt.tensor({ 1.9 }):short()
tensor([1], dtype=pt.int16)

= size
> pt.ones(2, 3):size(1)
2

= squeeze_
> pt.ones(1, 2):squeeze_().shape
[2]

= storage_offset
> pt.range(1, 5)[{ { 3, 5 } }]:storage_offset()
2

= stride
> pt.ones(2, 3):stride()
[3, 1]

= swapaxes_
> pt.ones(2, 3):swapaxes_(1, 2).shape
[3, 2]

= swapdims_
> pt.ones(2, 3):swapdims_(1, 2).shape
[3, 2]

= t
> pt.ones(2, 3):t().shape
[3, 2]

= t_
> pt.ones(2, 3):t_().shape
[3, 2]

= tolist
> pt.tensor({ { 1, 2 } }):tolist()
{ { 1, 2 } }

= transpose_
> pt.ones(2, 3):transpose_(1, 2).shape
[3, 2]

= type
> pt.ones(1):type(pt.int64)
tensor([1])

= type_as
> pt.tensor({ 1.5 }):type_as(pt.tensor { 1 })
tensor([1])

= unfold
> pt.range(1, 4):unfold(1, 2, 1)
tensor([[1, 2],
        [2, 3],
        [3, 4]])

= unsqueeze_
> pt.ones(2):unsqueeze_(1).shape
[1, 2]

= version
> pt.version
0.1.0

= worker_id
> pt.worker_id()
0

= fmod
> pt.tensor({-5, 5}):fmod(3)
tensor([-2,  2])

= atan2
> pt.tensor({1.0, -1}):atan2(pt.tensor{1.0, 1})
tensor([ 0.7854, -0.7854])

= reshape
> pt.range(1, 6):reshape(2, -1)
tensor([[1, 2, 3],
        [4, 5, 6]])

= bitwise_and
> pt.tensor({6, 7}) & 3
tensor([2, 3])

= stack
> pt.stack({pt.tensor{1, 2}, pt.tensor{3, 4}}, 2)
tensor([[1, 3],
        [2, 4]])

= erfinv
> pt.tensor({0.0, 0.5}):erfinv()
tensor([0.0000, 0.4769])

= remainder
> pt.tensor({-5, 5}):remainder(3)
tensor([1, 2])

= logaddexp
> pt.tensor({1000.0}):logaddexp(pt.tensor{1000.0})
tensor([1000.6932])

= matmul
> pt.tensor({{1.0, 2}, {3, 4}}):matmul(pt.tensor{1.0, 1.0})
tensor([3., 7.])
]==]
