-- Examples of other functions over the ops: see reference.lua.
return [==[
= add_
> pt.tensor({ 1, 2 }):add_(10)
tensor([11, 12])

= addbmm
> pt.zeros(2, 2):addbmm(pt.ones(3, 2, 2), pt.ones(3, 2, 2))
tensor([[6., 6.],
        [6., 6.]])

= addcdiv
> pt.ones(2):addcdiv(pt.tensor { 4.0, 9 }, pt.tensor { 2.0, 3 })
tensor([3., 4.])

= addcdiv_
> pt.ones(2):addcdiv_(pt.tensor { 4.0, 9 }, pt.tensor { 2.0, 3 })
tensor([3., 4.])

= addcmul
> pt.ones(2):addcmul(pt.tensor { 2.0, 3 }, pt.tensor { 10.0, 10 }, { value = 0.5 })
tensor([11., 16.])

= addcmul_
> pt.ones(2):addcmul_(pt.tensor { 2.0, 3 }, pt.tensor { 10.0, 10 })
tensor([21., 31.])

= addmm
> pt.ones(2, 2):addmm(pt.eye(2), pt.eye(2))
tensor([[2., 1.],
        [1., 2.]])

= addmv
> pt.ones(2):addmv(pt.eye(2), pt.tensor { 5.0, 6 })
tensor([6., 7.])

= addr
> pt.zeros(2, 2):addr(pt.tensor { 1.0, 2 }, pt.tensor { 3.0, 4 })
tensor([[3., 4.],
        [6., 8.]])

= adjoint
> pt.tensor({ { 1, 2 }, { 3, 4 } }):adjoint()
tensor([[1, 3],
        [2, 4]])

= allclose
> pt.tensor({ 1.0 }):allclose(pt.tensor { 1.0 + 1e-9 })
true

= aminmax
> pt.aminmax(pt.tensor { 3, 1, 2 })
tensor(1)  tensor(3)

= arctan2
> pt.arctan2(pt.tensor { 1.0 }, pt.tensor { 1.0 })
tensor([0.7854])

= are_deterministic_algorithms_enabled
> pt.are_deterministic_algorithms_enabled()
true

= as_tensor
> pt.as_tensor({ 1, 2 }, pt.float64).dtype
float64

= asarray
> local x = pt.ones(2)
> pt.asarray(x):data_ptr() == x:data_ptr(), pt.asarray(x, { copy = true }):data_ptr() == x:data_ptr()
true  false

= autocast
> pt.autocast(function() return pt.ones(2, 2):matmul(pt.ones(2, 2)).dtype end)
bfloat16

= baddbmm
> pt.ones(1, 2, 2):baddbmm(pt.ones(1, 2, 2), pt.ones(1, 2, 2))
tensor([[[3., 3.],
         [3., 3.]]])

= bartlett_window
> pt.bartlett_window(4)
tensor([0.0000, 0.5000, 1.0000, 0.5000])

= bernoulli
> pt.tensor({ 0.0, 1 }):bernoulli()
tensor([0., 1.])

= bernoulli_
> pt.zeros(3):bernoulli_(1)
tensor([1., 1., 1.])

= binomial
> pt.binomial(pt.tensor { 10.0 }, pt.tensor { 1.0 })
tensor([10.])

= blackman_window
> pt.blackman_window(5, false)
tensor([-1.3878e-17,  3.4000e-01,  1.0000e+00,  3.4000e-01, -1.3878e-17])

= broadcast_shapes
> pt.broadcast_shapes({ 2, 1 }, { 3 })
{ 2, 3 }

= can_cast
> pt.can_cast(pt.float32, pt.int64)
false

= cauchy_
> pt.zeros(3):cauchy_().shape
[3]

= clamp_max
> pt.tensor({ 1, 5 }):clamp_max(3)
tensor([1, 3])

= clamp_min
> pt.tensor({ 1, 5 }):clamp_min(3)
tensor([3, 5])

= clip
> pt.tensor({ 1, 5 }):clip(2, 4)
tensor([2, 4])

= conj_physical
> pt.conj_physical(pt.complex(pt.ones(1), pt.ones(1)))
tensor([1.-1.j])

= constant_pad_nd
> pt.constant_pad_nd(pt.tensor { 1, 2 }, { 1, 2 }, 9)
tensor([9, 1, 2, 9, 9])

= corrcoef
> pt.tensor({ { 1.0, 2 }, { 2, 1 } }):corrcoef()
tensor([[ 1., -1.],
        [-1.,  1.]])

= cosine_similarity
> pt.cosine_similarity(pt.tensor { 1.0, 0 }, pt.tensor { 1.0, 1 }, 1)
tensor(0.7071)

= count_nonzero
> pt.tensor({ 0, 5, 6 }):count_nonzero()
tensor(2)

= cov
> pt.tensor({ { 1.0, 2, 3 }, { 3, 2, 1 } }):cov()
tensor([[ 1., -1.],
        [-1.,  1.]])

= cross
> pt.tensor({ 1.0, 0, 0 }):cross(pt.tensor { 0.0, 1, 0 })
tensor([0., 0., 1.])

= cumulative_trapezoid
> pt.cumulative_trapezoid(pt.tensor { 1.0, 2, 3 })
tensor([1.5000, 4.0000])

= device
> pt.device("cuda", 0)
cuda:0

= dist
> pt.tensor({ 0.0, 0 }):dist(pt.tensor { 3.0, 4 })
tensor(5.)

= einsum
> pt.einsum("ij,jk->ik", pt.tensor { { 1, 2 } }, pt.tensor { { 3 }, { 4 } })
tensor([[11]])

= empty
> pt.empty(2, 3).shape
[2, 3]

= empty_like
> pt.empty_like(pt.ones(2, 3)).shape
[2, 3]

= empty_strided
> pt.empty_strided({ 2, 3 }, { 1, 2 }):stride()
[1, 2]

= enable_grad
> pt.no_grad(function() return pt.enable_grad(function() return pt.is_grad_enabled() end) end)
true

= equal
> pt.tensor({ 1, 2 }):equal(pt.tensor { 1, 2 })
true

= exponential_
> pt.zeros(3):exponential_():ge(0):all()
tensor(True)

= finfo
> pt.finfo(pt.float32).eps
1.1920928955078e-07

= float_power
> pt.tensor({ 2 }):float_power(3)
tensor([8.], dtype=pt.float64)

= fork_rng
> local a = pt.fork_rng(function() return pt.rand(2) end)
> pt.equal(a, pt.rand(2))
true

= frobenius_norm
> pt.frobenius_norm(pt.tensor { { 3.0, 0 }, { 0, 4 } })
tensor(5.)

= full_like
> pt.full_like(pt.zeros(2), 7)
tensor([7., 7.])

= geometric_
> pt.zeros(3):geometric_(0.5):ge(1):all()
tensor(True)

= ger
> pt.ger(pt.tensor { 1, 2 }, pt.tensor { 3, 4 })
tensor([[3, 4],
        [6, 8]])

= get_float32_matmul_precision
> pt.get_float32_matmul_precision()
highest

= get_num_interop_threads
> pt.get_num_interop_threads()
1

= get_rng_state
> local state = pt.get_rng_state()
> local a = pt.rand(1)
> pt.set_rng_state(state)
> pt.rand(1):equal(a)
true

= gradient
> pt.gradient(pt.tensor { 1.0, 4, 9, 16 })[1]
tensor([3., 4., 6., 7.])

= hamming_window
> pt.hamming_window(4)
tensor([0.0800, 0.5400, 1.0000, 0.5400])

= hann_window
> pt.hann_window(4)
tensor([0.0000, 0.5000, 1.0000, 0.5000])

= help
> pt.help "numel"
x:numel()
  the number of elements
    x              a tensor
  method
  PyTorch: torch.numel
  > pt.ones(2, 3):numel()
  6

= histogram
> pt.histogram(pt.tensor { 0.1, 0.2, 0.9 }, 2, { range = { 0, 1 } })
tensor([2., 1.])  tensor([0.0000, 0.5000, 1.0000])

= histogramdd
> pt.histogramdd(pt.tensor { { 0.1, 0.2 }, { 0.9, 0.8 } }, 2, { range = { 0, 1, 0, 1 } })
tensor([[1., 0.],
        [0., 1.]])  { tensor [3] float32, tensor [3] float32 }

= iinfo
> pt.iinfo(pt.int8).max
127

= inference_mode
> pt.inference_mode(function() return pt.ones(1):is_inference() end)
true

= initial_seed
> pt.initial_seed()
1

= inner
> pt.tensor({ 1, 2 }):inner(pt.tensor { 3, 4 })
tensor(11)

= is_autocast_enabled
> pt.is_autocast_enabled()
false

= is_grad_enabled
> pt.no_grad(function() return pt.is_grad_enabled() end)
false

= is_inference_mode_enabled
> pt.is_inference_mode_enabled()
false

= is_nonzero
> pt.is_nonzero(pt.tensor(2))
true

= is_same_size
> pt.ones(2, 3):is_same_size(pt.zeros(2, 3))
true

= is_signed
> pt.tensor({ 1 }, { dtype = pt.uint8 }):is_signed()
false

= isin
> pt.isin(pt.tensor { 1, 5, 3 }, pt.tensor { 3, 4, 1 })
tensor([ True, False,  True])

= istft
> local x = pt.ones(32)
> pt.istft(pt.stft(x, 8, { return_complex = true, window = pt.hann_window(8) }), 8, { window = pt.hann_window(8) }).shape
[32]

= kaiser_window
> pt.kaiser_window(4, { beta = 3 })
tensor([0.2049, 0.7269, 1.0000, 0.7269])

= kron
> pt.eye(2):kron(pt.tensor { { 1.0, 2 } })
tensor([[1., 2., 0., 0.],
        [0., 0., 1., 2.]])

= ldexp
> pt.tensor({ 1.0 }):ldexp(pt.tensor { 3 })
tensor([8.])

= log_normal_
> pt.zeros(3):log_normal_():gt(0):all()
tensor(True)

= logcumsumexp
> pt.tensor({ 0.0, 0 }):logcumsumexp(1)
tensor([0.0000, 0.6931])

= logspace
> pt.logspace(0, 2, 3)
tensor([  1.,  10., 100.])

= matrix_exp
> pt.zeros(2, 2):matrix_exp()
tensor([[1., 0.],
        [0., 1.]])

= matrix_power
> pt.tensor({ { 1.0, 1 }, { 0, 1 } }):matrix_power(3)
tensor([[1., 3.],
        [0., 1.]])

= min
> pt.tensor({ 3, 1, 2 }):min(1)
tensor(1)  tensor(2)

= multi_dot
> pt.linalg.multi_dot({ pt.ones(2, 3), pt.ones(3, 4), pt.ones(4, 1) }).shape
[2, 1]

= multinomial
> pt.tensor({ 0.0, 1, 0 }):multinomial(1)
tensor([2])

= mvlgamma
> pt.mvlgamma(pt.tensor { 3.0 }, 2)
tensor([1.5502])

= nan_to_num
> pt.tensor({ 0 / 0, 1 }):nan_to_num()
tensor([0., 1.])

= nanmean
> pt.tensor({ 0 / 0, 1, 3 }):nanmean()
tensor(2.)

= nansum
> pt.tensor({ 0 / 0, 1, 3 }):nansum()
tensor(4.)

= no_grad
> pt.no_grad(function() return (pt.ones(1, { requires_grad = true }) * 2).requires_grad end)
false

= norm_except_dim
> pt.norm_except_dim(pt.tensor { { 3.0, 4 }, { 6, 8 } }, 2, 1)
tensor([[ 5.],
        [10.]])

= normal
> pt.normal(pt.tensor { 5.0 }, pt.tensor { 0.0 })
tensor([5.])

= normal_
> pt.zeros(3):normal_().shape
[3]

= nuclear_norm
> pt.nuclear_norm(pt.tensor { { 3.0, 0 }, { 0, 4 } })
tensor(7.)

= ones
> pt.ones(2, 2)
tensor([[1., 1.],
        [1., 1.]])

= ones_like
> pt.ones_like(pt.tensor { 5, 6 })
tensor([1, 1])

= ops
> pt.ops()[1].name
Generator

= pairwise_distance
> pt.pairwise_distance(pt.tensor { { 0.0, 0 } }, pt.tensor { { 3.0, 4 } })
tensor([5.0000])

= poisson
> pt.poisson(pt.tensor { 0.0 })
tensor([0.])

= promote_types
> pt.promote_types(pt.int64, pt.float32)
float32

= put
> pt.zeros(2, 2):put(pt.tensor { 1, 4 }, pt.tensor { 5.0, 6 })
tensor([[5., 0.],
        [0., 6.]])

= rand
> pt.rand(2, 3).shape
[2, 3]

= rand_like
> pt.rand_like(pt.ones(2, 3)).shape
[2, 3]

= randint
> pt.randint(5, 6, { 3 })
tensor([5, 5, 5])

= randint_like
> pt.randint_like(pt.ones(3), 5, 6)
tensor([5., 5., 5.])

= randn
> pt.randn(2, 3).shape
[2, 3]

= randn_like
> pt.randn_like(pt.ones(2, 3)).shape
[2, 3]

= random_
> pt.zeros(3):random_(1, 2)
tensor([1., 1., 1.])

= renorm
> pt.tensor({ { 3.0, 4 } }):renorm(2, 1, 1)
tensor([[0.6000, 0.8000]])

= rsub
> pt.rsub(pt.tensor { 1, 2 }, 10)
tensor([9, 8])

= scalar_tensor
> pt.scalar_tensor(3)
tensor(3.)

= seed
> math.type(pt.seed())
integer

= segment_reduce
> pt.segment_reduce(pt.tensor { 1.0, 2, 3 }, "sum", { lengths = pt.tensor { 2, 1 } })
tensor([3., 3.])

= set_float32_matmul_precision
> pt.set_float32_matmul_precision "highest"

= set_flush_denormal
> pt.set_flush_denormal(true)
false

= set_grad_enabled
> pt.set_grad_enabled(false, function() return pt.is_grad_enabled() end)
false

= set_num_interop_threads
> pt.set_num_interop_threads(1)

= set_printoptions
> pt.set_printoptions { precision = 2 }
> local text = tostring(pt.tensor { 1 / 3 })
> pt.set_printoptions { precision = 4 }
> text
tensor([0.33])

= set_rng_state
> local state = pt.get_rng_state()
> local a = pt.rand(1)
> pt.set_rng_state(state)
> print(pt.rand(1):equal(a))
true
> pt.set_rng_state(pt.Generator({ like = "pytorch" }):get_state()) -- 5056 bytes, as torch.get_rng_state() gives them
> pt.get_rng_state().shape
[5056]

= softmin
> pt.softmin(pt.tensor { 0.0, 0 }, 1)
tensor([0.5000, 0.5000])

= split_with_sizes
> pt.range(1, 5):split_with_sizes { 2, 3 }
{ tensor [2] int64, tensor [3] int64 }

= std
> pt.tensor({ 1.0, 2, 3 }):std()
tensor(1.)

= std_mean
> pt.tensor({ 1.0, 2, 3 }):std_mean()
tensor(1.)  tensor(2.)

= stft
> pt.stft(pt.ones(32), 8, { return_complex = true, window = pt.hann_window(8) }).shape
[5, 17]

= sub
> pt.tensor({ 5, 6 }):sub(1)
tensor([4, 5])

= sub_
> pt.tensor({ 5, 6 }):sub_(1)
tensor([4, 5])

= subtract
> pt.tensor({ 5, 6 }):subtract(1)
tensor([4, 5])

= sum_to_size
> pt.ones(2, 3):sum_to_size { 1, 3 }
tensor([[2., 2., 2.]])

= to
> pt.tensor({ 1.9 }):to(pt.int64)
tensor([1])

= trapezoid
> pt.tensor({ 1.0, 2, 3 }):trapezoid()
tensor(4.)

= trapz
> pt.trapz(pt.tensor { 1.0, 2, 3 })
tensor(4.)

= uniform_
> pt.zeros(3):uniform_(5, 5)
tensor([5., 5., 5.])

= unravel_index
> pt.unravel_index(pt.tensor { 5 }, { 3, 2 })
{ tensor [1] int64, tensor [1] int64 }

= use_deterministic_algorithms
> pt.use_deterministic_algorithms(true)

= vander
> pt.vander(pt.tensor { 1, 2, 3 })
tensor([[1, 1, 1],
        [4, 2, 1],
        [9, 3, 1]])

= var_mean
> pt.tensor({ 1.0, 2, 3 }):var_mean()
tensor(1.)  tensor(2.)

= vdot
> pt.tensor({ 1, 2 }):vdot(pt.tensor { 3, 4 })
tensor(11)

= vecdot
> pt.vecdot(pt.tensor { { 1.0, 2 } }, pt.tensor { { 3.0, 4 } })
tensor([11.])

= zeros
> pt.zeros(2, 2)
tensor([[0., 0.],
        [0., 0.]])

= zeros_like
> pt.zeros_like(pt.ones(2))
tensor([0., 0.])

= linspace
> pt.linspace(0, 1, 5)
tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])

= isclose
> pt.tensor({1.0, 2}):isclose(pt.tensor{1.0, 2.1})
tensor([ True, False])

= range
> pt.range(1, 4)
tensor([1, 2, 3, 4])

= bitwise_not
> ~pt.tensor({0, 5})
tensor([-1, -6])

= add
> pt.add(pt.tensor{1, 2}, pt.tensor{10, 20}, {alpha = 2})
tensor([21, 42])

= norm
> pt.tensor({3.0, 4}):norm()
tensor(5.)

= clamp
> pt.tensor({-1.5, 0.5, 3}):clamp{min = 0, max = 1}
tensor([0.0000, 0.5000, 1.0000])

= one_hot
> pt.one_hot(pt.tensor{1, 3})
tensor([[1, 0, 0],
        [0, 0, 1]])

= logsumexp
> pt.tensor({1000.0, 1000}):logsumexp(1)
tensor(1000.6932)

= div
> pt.tensor({-7, 7}):div(2, {rounding_mode = "trunc"})
tensor([-3,  3])

= outer
> pt.tensor({1, 2}):outer(pt.tensor{3, 4})
tensor([[3, 4],
        [6, 8]])

= frexp
> pt.tensor({6.0, 0.3}):frexp()
tensor([0.7500, 0.6000])  tensor([ 3, -1], dtype=pt.int32)

= max
> pt.tensor({{1.5, 3}, {4, 2}}):max(2)
tensor([3., 4.])  tensor([2, 1])

= full
> pt.full({2, 2}, 7)
tensor([[7, 7],
        [7, 7]])

= result_type
> pt.result_type(pt.tensor{1}, 0.5)
float32

= var
> pt.tensor({1.0, 2, 4}):var()
tensor(2.3333)

= arange
> pt.arange(2, 10, 3)
tensor([2, 5, 8])

= eye
> pt.eye(2)
tensor([[1., 0.],
        [0., 1.]])

= tensor
> pt.tensor({{1, 2}, {3, 4}}, {dtype = pt.float64})
tensor([[1., 2.],
        [3., 4.]], dtype=pt.float64)

= round
> pt.tensor({1.25, 2.5, -0.75}):round(1)
tensor([ 1.2000,  2.5000, -0.8000])

= randperm
> pt.randperm(4):sum()
tensor(10)

= tensordot
> pt.ones(2, 3):tensordot(pt.ones(3, 4), 1)
tensor([[3., 3., 3., 3.],
        [3., 3., 3., 3.]])

= diff
> pt.tensor({1, 4, 9}):diff()
tensor([3, 5])

= gelu
> pt.tensor({-1.0, 0, 1}):gelu()
tensor([-0.1587,  0.0000,  0.8413])

= cdist
> pt.tensor({{0.0, 0}}):cdist(pt.tensor{{3.0, 4}, {0, 1}})
tensor([[5., 1.]])
]==]
