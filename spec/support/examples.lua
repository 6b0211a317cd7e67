-- Examples of the reference page: for a function what is typed, and what is printed. spec/docs_spec.lua runs them.
return {
  add = { { [[pt.add(pt.tensor{1, 2}, pt.tensor{10, 20}, {alpha = 2})]], [=[
tensor([21, 42])]=] } },
  arange = { { [[pt.arange(2, 10, 3)]], [=[
tensor([2, 5, 8])]=] }, { [[pt.arange(4)]], [=[
tensor([0, 1, 2, 3])]=] } },
  argmax = { { [[pt.tensor({3.0, 7, 5}):argmax()]], [=[
tensor(2)]=] } },
  atan2 = { { [[pt.tensor({1.0, -1}):atan2(pt.tensor{1.0, 1})]], [=[
tensor([ 0.7854, -0.7854])]=] } },
  bincount = { { [[pt.tensor({1, 3, 3}):bincount()]], [=[
tensor([1, 0, 2])]=] } },
  bitwise_and = { { [[pt.tensor({6, 7}) & 3]], [=[
tensor([2, 3])]=] } },
  bitwise_not = { { [[~pt.tensor({0, 5})]], [=[
tensor([-1, -6])]=] } },
  cat = { { [[pt.cat({pt.zeros(1, 2), pt.ones(1, 2)})]], [=[
tensor([[0., 0.],
        [1., 1.]])]=] } },
  cdist = { { [[pt.tensor({{0.0, 0}}):cdist(pt.tensor{{3.0, 4}, {0, 1}})]], [=[
tensor([[5., 1.]])]=] } },
  clamp = { { [[pt.tensor({-1.5, 0.5, 3}):clamp{min = 0, max = 1}]], [=[
tensor([0.0000, 0.5000, 1.0000])]=] } },
  cummax = { { [[pt.tensor({1.0, 3, 2}):cummax(1)]], [=[
tensor([1., 3., 3.])  tensor([1, 2, 2])]=] } },
  cumsum = { { [[pt.tensor({1, 2, 3}):cumsum(1)]], [=[
tensor([1, 3, 6])]=] } },
  diagonal = { { [[pt.range(1, 9):reshape(3, 3):diagonal(1)]], [=[
tensor([2, 6])]=] } },
  diff = { { [[pt.tensor({1, 4, 9}):diff()]], [=[
tensor([3, 5])]=] } },
  div = { { [[pt.tensor({-7, 7}):div(2, {rounding_mode = "trunc"})]], [=[
tensor([-3,  3])]=] } },
  erfinv = { { [[pt.tensor({0.0, 0.5}):erfinv()]], [=[
tensor([0.0000, 0.4769])]=] } },
  expand = { { [[pt.tensor({{1}, {2}}):expand(2, 3)]], [=[
tensor([[1, 1, 1],
        [2, 2, 2]])]=] } },
  eye = { { [[pt.eye(2)]], [=[
tensor([[1., 0.],
        [0., 1.]])]=] } },
  flip = { { [[pt.range(1, 3):flip(1)]], [=[
tensor([3, 2, 1])]=] } },
  fmod = { { [[pt.tensor({-5, 5}):fmod(3)]], [=[
tensor([-2,  2])]=] } },
  frexp = { { [[pt.tensor({6.0, 0.3}):frexp()]], [=[
tensor([0.7500, 0.6000])  tensor([ 3, -1], dtype=pt.int32)]=] } },
  full = { { [[pt.full({2, 2}, 7)]], [=[
tensor([[7, 7],
        [7, 7]])]=] } },
  gather = { { [[pt.tensor({{1, 2}, {3, 4}}):gather(2, pt.tensor{{2}, {1}})]], [=[
tensor([[2],
        [3]])]=] } },
  gelu = { { [[pt.tensor({-1.0, 0, 1}):gelu()]], [=[
tensor([-0.1587,  0.0000,  0.8413])]=] } },
  histc = { { [[pt.tensor({1.0, 2, 2, 5}):histc(2)]], [=[
tensor([3., 1.])]=] } },
  index_select = { { [[pt.tensor({{1, 2}, {3, 4}, {5, 6}}):index_select(1, pt.tensor{3, 1})]], [=[
tensor([[5, 6],
        [1, 2]])]=] } },
  isclose = { { [[pt.tensor({1.0, 2}):isclose(pt.tensor{1.0, 2.1})]], [=[
tensor([ True, False])]=] } },
  linspace = { { [[pt.linspace(0, 1, 5)]], [=[
tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])]=] } },
  logaddexp = { { [[pt.tensor({1000.0}):logaddexp(pt.tensor{1000.0})]], [=[
tensor([1000.6932])]=] } },
  logsumexp = { { [[pt.tensor({1000.0, 1000}):logsumexp(1)]], [=[
tensor(1000.6932)]=] } },
  masked_fill = { { [[pt.tensor({1.0, 2, 3}):masked_fill(pt.tensor{true, false, true}, 0)]], [=[
tensor([0., 2., 0.])]=] } },
  matmul = { { [[pt.tensor({{1.0, 2}, {3, 4}}):matmul(pt.tensor{1.0, 1.0})]], [=[
tensor([3., 7.])]=] } },
  max = { { [[pt.tensor({{1.5, 3}, {4, 2}}):max(2)]], [=[
tensor([3., 4.])  tensor([2, 1])]=] } },
  mean = { { [[pt.tensor({{1.0, 2}, {3, 4}}):mean{dim = 1, keepdim = true}]], [=[
tensor([[2., 3.]])]=] } },
  median = { { [[pt.tensor({3.0, 1, 2, 9}):median()]], [=[
tensor(2.)]=] } },
  meshgrid = { { [[table.unpack(pt.meshgrid(pt.tensor{1, 2}, pt.tensor{3, 4}))]], [=[
tensor([[1, 1],
        [2, 2]])  tensor([[3, 4],
        [3, 4]])]=] } },
  mode = { { [[pt.tensor({2, 1, 2}):mode()]], [=[
tensor(2)  tensor(3)]=] } },
  narrow = { { [[pt.range(1, 5):narrow(1, 2, 3)]], [=[
tensor([2, 3, 4])]=] } },
  nonzero = { { [[pt.tensor({0, 5, 7}):nonzero()]], [=[
tensor([[2],
        [3]])]=] } },
  norm = { { [[pt.tensor({3.0, 4}):norm()]], [=[
tensor(5.)]=] } },
  one_hot = { { [[pt.one_hot(pt.tensor{1, 3})]], [=[
tensor([[1, 0, 0],
        [0, 0, 1]])]=] } },
  outer = { { [[pt.tensor({1, 2}):outer(pt.tensor{3, 4})]], [=[
tensor([[3, 4],
        [6, 8]])]=] } },
  permute = { { [[pt.range(1, 6):reshape(1, 2, 3):permute({3, 1, 2}).shape]], [=[
[3, 1, 2]]=] } },
  put_ = { { [[pt.zeros(3):put_(pt.tensor{2}, pt.tensor{5.0})]], [=[
tensor([0., 5., 0.])]=] } },
  quantile = { { [[pt.tensor({1.0, 2, 3}):quantile({0.25, 0.5})]], [=[
tensor([1.5000, 2.0000])]=] } },
  range = { { [[pt.range(1, 4)]], [=[
tensor([1, 2, 3, 4])]=] } },
  randperm = { { [[pt.randperm(4):sum()]], [=[
tensor(10)]=] } },
  remainder = { { [[pt.tensor({-5, 5}):remainder(3)]], [=[
tensor([1, 2])]=] } },
  repeat_interleave = { { [[pt.tensor({1, 2}):repeat_interleave(2)]], [=[
tensor([1, 1, 2, 2])]=] } },
  reshape = { { [[pt.range(1, 6):reshape(2, -1)]], [=[
tensor([[1, 2, 3],
        [4, 5, 6]])]=] } },
  result_type = { { [[pt.result_type(pt.tensor{1}, 0.5)]], [=[
float32]=] } },
  roll = { { [[pt.range(1, 4):roll(1)]], [=[
tensor([4, 1, 2, 3])]=] } },
  round = { { [[pt.tensor({1.25, 2.5, -0.75}):round(1)]], [=[
tensor([ 1.2000,  2.5000, -0.8000])]=] } },
  scatter = { { [[pt.zeros(2, 3):scatter(2, pt.tensor{{3}, {1}}, 9)]], [=[
tensor([[0., 0., 9.],
        [9., 0., 0.]])]=] } },
  scatter_reduce = { { [[pt.zeros(2):scatter_reduce(1, pt.tensor{1, 1, 2}, pt.tensor{3.0, 5, -1}, "amax")]], [=[
tensor([5., 0.])]=] } },
  searchsorted = { { [[pt.searchsorted(pt.tensor{1.0, 3, 5}, pt.tensor{2.0, 5.0})]], [=[
tensor([2, 3])]=] } },
  softmax = { { [[pt.tensor({1.0, 2, 3}):softmax(1)]], [=[
tensor([0.0900, 0.2447, 0.6652])]=] } },
  sort = { { [[pt.tensor({3.0, 1, 2}):sort(1, true)]], [=[
tensor([3., 2., 1.])  tensor([1, 3, 2])]=] } },
  split = { { [[table.unpack(pt.range(1, 5):split(2))]], [=[
tensor([1, 2])  tensor([3, 4])  tensor([5])]=] } },
  squeeze = { { [[pt.zeros(1, 3, 1):squeeze().shape]], [=[
[3]]=] } },
  stack = { { [[pt.stack({pt.tensor{1, 2}, pt.tensor{3, 4}}, 2)]], [=[
tensor([[1, 3],
        [2, 4]])]=] } },
  sum = { { [[pt.tensor({{1, 2}, {3, 4}}):sum(2)]], [=[
tensor([3, 7])]=] } },
  tensor = { { [[pt.tensor({{1, 2}, {3, 4}}, {dtype = pt.float64})]], [=[
tensor([[1., 2.],
        [3., 4.]], dtype=pt.float64)]=] } },
  tensordot = { { [[pt.ones(2, 3):tensordot(pt.ones(3, 4), 1)]], [=[
tensor([[3., 3., 3., 3.],
        [3., 3., 3., 3.]])]=] } },
  tile = { { [[pt.tensor({1, 2}):tile(2)]], [=[
tensor([1, 2, 1, 2])]=] } },
  topk = { { [[pt.tensor({3.0, 1, 2, 5}):topk(2)]], [=[
tensor([5., 3.])  tensor([4, 1])]=] } },
  transpose = { { [[pt.tensor({{1, 2}, {3, 4}}):transpose(1, 2)]], [=[
tensor([[1, 3],
        [2, 4]])]=] } },
  tril = { { [[pt.ones(3, 3):tril()]], [=[
tensor([[1., 0., 0.],
        [1., 1., 0.],
        [1., 1., 1.]])]=] } },
  unique = { { [[pt.tensor({3, 1, 3}):unique{return_counts = true}]], [=[
tensor([1, 3])  tensor([1, 2])]=] } },
  unsqueeze = { { [[pt.zeros(3):unsqueeze(1).shape]], [=[
[1, 3]]=] } },
  var = { { [[pt.tensor({1.0, 2, 4}):var()]], [=[
tensor(2.3333)]=] } },
  where = { { [[pt.where(pt.tensor{true, false}, 1.5, pt.tensor{7.0, 8.0})]], [=[
tensor([1.5000, 8.0000])]=] } },
}
