-- Examples of the ops of the table that are not element by element: see reference.lua.
return [==[
= all
> pt.tensor({ true, false }):all()
tensor(False)

= amax
> pt.tensor({ { 1, 5 }, { 7, 2 } }):amax(2)
tensor([5, 7])

= amin
> pt.tensor({ { 1, 5 }, { 7, 2 } }):amin(2)
tensor([1, 2])

= any
> pt.tensor({ true, false }):any()
tensor(True)

= argmin
> pt.tensor({ 3, 1, 2 }):argmin()
tensor(2)

= as_strided
> pt.range(1, 6):as_strided({ 2, 2 }, { 3, 1 })
tensor([[1, 2],
        [4, 5]])

= as_strided_scatter
> pt.zeros(4):as_strided_scatter(pt.ones(2), { 2 }, { 2 }, 0)
tensor([1., 0., 1., 0.])

= bmm
> pt.ones(2, 1, 3):bmm(pt.ones(2, 3, 1)):flatten()
tensor([3., 3.])

= clone
> local x = pt.ones(2)
> local y = x:clone()
> y:add_(1)
> x
tensor([1., 1.])

= copy
> pt.zeros(2):copy(pt.tensor { 1, 2 })
tensor([1., 2.])

= cummin
> pt.tensor({ 3, 1, 2 }):cummin(1)
tensor([3, 1, 1])  tensor([1, 2, 2])

= cumprod
> pt.tensor({ 1, 2, 3 }):cumprod(1)
tensor([1, 2, 6])

= fill
> pt.zeros(2):fill(3)
tensor([3., 3.])

= index
> pt.range(1, 9):index { pt.tensor { 2, 4 } }
tensor([2, 4])

= index_add
> pt.zeros(3):index_add(1, pt.tensor { 1, 1 }, pt.tensor { 5.0, 6 })
tensor([11.,  0.,  0.])

= index_copy
> pt.zeros(3):index_copy(1, pt.tensor { 3 }, pt.tensor { 5.0 })
tensor([0., 0., 5.])

= index_put
> pt.zeros(3):index_put({ pt.tensor { 2 } }, pt.tensor { 5.0 })
tensor([0., 5., 0.])

= linear
> pt.linear(pt.ones(1, 3), pt.ones(2, 3))
tensor([[3., 3.]])

= quantize_blocks
> pt.quantize_blocks(pt.ones(4, 64), "q4_0").shape
[4, 36]

= dequantize_blocks
> pt.dequantize_blocks(pt.quantize_blocks(pt.ones(1, 32), "q8_0"), "q8_0").shape
[1, 32]

= linear_blocks
> pt.linear_blocks(pt.ones(3, 64), pt.quantize_blocks(pt.ones(2, 64), "q4_0"), "q4_0").shape
[3, 2]

= log_softmax
> pt.tensor({ 0.0, 0 }):log_softmax(1)
tensor([-0.6931, -0.6931])

= mm
> pt.eye(2):mm(pt.tensor { { 1.0, 2 }, { 3, 4 } })
tensor([[1., 2.],
        [3., 4.]])

= prod
> pt.tensor({ 2, 3, 4 }):prod()
tensor(24)

= scatter_add
> pt.zeros(3):scatter_add(1, pt.tensor { 1, 1 }, pt.tensor { 5.0, 6 })
tensor([11.,  0.,  0.])

= select
> pt.tensor({ { 1, 2 }, { 3, 4 } }):select(1, 2)
tensor([3, 4])

= view
> pt.range(1, 4):view(2, 2)
tensor([[1, 2],
        [3, 4]])

= view_as_complex
> pt.view_as_complex(pt.tensor { { 1.0, 2 } })
tensor([1.+2.j])

= view_as_real
> pt.view_as_real(pt.complex(pt.tensor { 1.0 }, pt.tensor { 2.0 }))
tensor([[1., 2.]])

= zero
> pt.ones(2):zero()
tensor([0., 0.])

= narrow
> pt.range(1, 5):narrow(1, 2, 3)
tensor([2, 3, 4])

= cat
> pt.cat({pt.zeros(1, 2), pt.ones(1, 2)})
tensor([[0., 0.],
        [1., 1.]])

= softmax
> pt.tensor({1.0, 2, 3}):softmax(1)
tensor([0.0900, 0.2447, 0.6652])

= transpose
> pt.tensor({{1, 2}, {3, 4}}):transpose(1, 2)
tensor([[1, 3],
        [2, 4]])

= index_select
> pt.tensor({{1, 2}, {3, 4}, {5, 6}}):index_select(1, pt.tensor{3, 1})
tensor([[5, 6],
        [1, 2]])

= sum
> pt.tensor({{1, 2}, {3, 4}}):sum(2)
tensor([3, 7])

= topk
> pt.tensor({3.0, 1, 2, 5}):topk(2)
tensor([5., 3.])  tensor([4, 1])

= cumsum
> pt.tensor({1, 2, 3}):cumsum(1)
tensor([1, 3, 6])

= gather
> pt.tensor({{1, 2}, {3, 4}}):gather(2, pt.tensor{{2}, {1}})
tensor([[2],
        [3]])

= nonzero
> pt.tensor({0, 5, 7}):nonzero()
tensor([[2],
        [3]])

= cummax
> pt.tensor({1.0, 3, 2}):cummax(1)
tensor([1., 3., 3.])  tensor([1, 2, 2])

= scatter
> pt.zeros(2, 3):scatter(2, pt.tensor{{3}, {1}}, 9)
tensor([[0., 0., 9.],
        [9., 0., 0.]])

= argmax
> pt.tensor({3.0, 7, 5}):argmax()
tensor(2)

= sort
> pt.tensor({3.0, 1, 2}):sort(1, true)
tensor([3., 2., 1.])  tensor([1, 3, 2])

= masked_fill
> pt.tensor({1.0, 2, 3}):masked_fill(pt.tensor{true, false, true}, 0)
tensor([0., 2., 0.])

= permute
> pt.range(1, 6):reshape(1, 2, 3):permute({3, 1, 2}).shape
[3, 1, 2]

= squeeze
> pt.zeros(1, 3, 1):squeeze().shape
[3]

= searchsorted
> pt.searchsorted(pt.tensor{1.0, 3, 5}, pt.tensor{2.0, 5.0})
tensor([2, 3])

= mean
> pt.tensor({{1.0, 2}, {3, 4}}):mean{dim = 1, keepdim = true}
tensor([[2., 3.]])

= unsqueeze
> pt.zeros(3):unsqueeze(1).shape
[1, 3]

= expand
> pt.tensor({{1}, {2}}):expand(2, 3)
tensor([[1, 1, 1],
        [2, 2, 2]])
]==]
