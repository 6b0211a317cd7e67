-- Examples of functions that rearrange, pick and order: see reference.lua.
return [==[
= argsort
> pt.tensor({ 3, 1, 2 }):argsort()
tensor([2, 3, 1])

= argwhere
> pt.tensor({ 0, 5, 6 }):argwhere()
tensor([[2],
        [3]])

= atleast_1d
> pt.atleast_1d(pt.tensor(5)).shape
[1]

= atleast_2d
> pt.atleast_2d(pt.tensor { 5, 6 }).shape
[1, 2]

= atleast_3d
> pt.atleast_3d(pt.tensor { 5, 6 }).shape
[1, 2, 1]

= block_diag
> pt.block_diag(pt.ones(1, 2), pt.tensor { { 5.0 } })
tensor([[1., 1., 0.],
        [0., 0., 5.]])

= broadcast_tensors
> pt.broadcast_tensors(pt.ones(2, 1), pt.ones(3))[1].shape
[2, 3]

= broadcast_to
> pt.tensor({ 1, 2 }):broadcast_to(2, 2)
tensor([[1, 2],
        [1, 2]])

= bucketize
> pt.bucketize(pt.tensor { 0.5, 2.5 }, pt.tensor { 1.0, 2, 3 })
tensor([1, 3])

= cartesian_prod
> pt.cartesian_prod(pt.tensor { 1, 2 }, pt.tensor { 8, 9 })
tensor([[1, 8],
        [1, 9],
        [2, 8],
        [2, 9]])

= chunk
> pt.range(1, 5):chunk(2)[2]
tensor([4, 5])

= column_stack
> pt.column_stack { pt.tensor { 1, 2 }, pt.tensor { 3, 4 } }
tensor([[1, 3],
        [2, 4]])

= combinations
> pt.tensor({ 7, 8, 9 }):combinations()
tensor([[7, 8],
        [7, 9],
        [8, 9]])

= concat
> pt.concat { pt.tensor { 1 }, pt.tensor { 2, 3 } }
tensor([1, 2, 3])

= concatenate
> pt.concatenate { pt.tensor { 1 }, pt.tensor { 2, 3 } }
tensor([1, 2, 3])

= diag
> pt.tensor({ 1, 2 }):diag()
tensor([[1, 0],
        [0, 2]])

= diag_embed
> pt.tensor({ { 1, 2 } }):diag_embed()
tensor([[[1, 0],
         [0, 2]]])

= diagflat
> pt.tensor({ 1, 2 }):diagflat()
tensor([[1, 0],
        [0, 2]])

= diagonal_scatter
> pt.zeros(2, 2):diagonal_scatter(pt.tensor { 5.0, 6 })
tensor([[5., 0.],
        [0., 6.]])

= dsplit
> pt.ones(1, 1, 4):dsplit(2)[1].shape
[1, 1, 2]

= dstack
> pt.dstack({ pt.tensor { 1, 2 }, pt.tensor { 3, 4 } }).shape
[1, 2, 2]

= expand_as
> pt.tensor({ 1, 2 }):expand_as(pt.zeros(2, 2))
tensor([[1, 2],
        [1, 2]])

= fill_diagonal_
> pt.zeros(2, 2):fill_diagonal_(1)
tensor([[1., 0.],
        [0., 1.]])

= fliplr
> pt.tensor({ { 1, 2 } }):fliplr()
tensor([[2, 1]])

= flipud
> pt.tensor({ { 1 }, { 2 } }):flipud()
tensor([[2],
        [1]])

= hsplit
> pt.ones(2, 4):hsplit(2)[1].shape
[2, 2]

= hstack
> pt.hstack { pt.tensor { 1, 2 }, pt.tensor { 3 } }
tensor([1, 2, 3])

= index_fill
> pt.zeros(3):index_fill(1, pt.tensor { 1, 3 }, 9)
tensor([9., 0., 9.])

= index_reduce
> pt.ones(2):index_reduce(1, pt.tensor { 1, 1 }, pt.tensor { 2.0, 3 }, "prod")
tensor([6., 1.])

= kthvalue
> pt.tensor({ 3, 1, 2 }):kthvalue(2)
tensor(2)  tensor(3)

= masked_scatter
> pt.zeros(3):masked_scatter(pt.tensor { true, false, true }, pt.tensor { 5.0, 6 })
tensor([5., 0., 6.])

= moveaxis
> pt.ones(2, 3, 4):moveaxis(1, 3).shape
[3, 4, 2]

= movedim
> pt.ones(2, 3, 4):movedim(1, 3).shape
[3, 4, 2]

= msort
> pt.tensor({ { 3, 1 }, { 2, 5 } }):msort()
tensor([[2, 1],
        [3, 5]])

= nanmedian
> pt.tensor({ 0 / 0, 1, 3 }):nanmedian()
tensor(1.)

= nanquantile
> pt.tensor({ 0 / 0, 1, 3 }):nanquantile(0.5)
tensor(2.)

= ravel
> pt.ones(2, 3):ravel().shape
[6]

= reshape_as
> pt.range(1, 4):reshape_as(pt.zeros(2, 2))
tensor([[1, 2],
        [3, 4]])

= rot90
> pt.tensor({ { 1, 2 }, { 3, 4 } }):rot90()
tensor([[2, 4],
        [1, 3]])

= row_stack
> pt.row_stack { pt.tensor { 1, 2 }, pt.tensor { 3, 4 } }
tensor([[1, 2],
        [3, 4]])

= select_scatter
> pt.zeros(2, 2):select_scatter(pt.ones(2), 1, 2)
tensor([[0., 0.],
        [1., 1.]])

= slice
> pt.range(1, 9):slice "2:4"
tensor([2, 3, 4])

= slice_scatter
> pt.zeros(4):slice_scatter(pt.ones(2), 1, 2, 3)
tensor([0., 1., 1., 0.])

= swapaxes
> pt.ones(2, 3):swapaxes(1, 2).shape
[3, 2]

= swapdims
> pt.ones(2, 3):swapdims(1, 2).shape
[3, 2]

= take
> pt.tensor({ { 5, 6 }, { 7, 8 } }):take(pt.tensor { 1, 4 })
tensor([5, 8])

= take_along_dim
> pt.tensor({ { 5, 6 } }):take_along_dim(pt.tensor { { 2 } }, 2)
tensor([[6]])

= tensor_split
> pt.range(1, 5):tensor_split(2)[1]
tensor([1, 2, 3])

= trace
> pt.tensor({ { 1, 2 }, { 3, 4 } }):trace()
tensor(5)

= tril_indices
> pt.tril_indices(2, 2)
tensor([[1, 2, 2],
        [1, 1, 2]])

= triu
> pt.ones(2, 2):triu()
tensor([[1., 1.],
        [0., 1.]])

= triu_indices
> pt.triu_indices(2, 2)
tensor([[1, 1, 2],
        [1, 2, 2]])

= unbind
> pt.tensor({ { 1, 2 }, { 3, 4 } }):unbind()[2]
tensor([3, 4])

= unflatten
> pt.ones(6):unflatten(1, { 2, 3 }).shape
[2, 3]

= unique_consecutive
> pt.tensor({ 1, 1, 2, 1 }):unique_consecutive()
tensor([1, 2, 1])  nil

= view_as
> pt.range(1, 4):view_as(pt.zeros(2, 2))
tensor([[1, 2],
        [3, 4]])

= vsplit
> pt.ones(4, 2):vsplit(2)[1].shape
[2, 2]

= vstack
> pt.vstack { pt.tensor { 1, 2 }, pt.tensor { 3, 4 } }
tensor([[1, 2],
        [3, 4]])

= tril
> pt.ones(3, 3):tril()
tensor([[1., 0., 0.],
        [1., 1., 0.],
        [1., 1., 1.]])

= repeat_interleave
> pt.tensor({1, 2}):repeat_interleave(2)
tensor([1, 1, 2, 2])

= roll
> pt.range(1, 4):roll(1)
tensor([4, 1, 2, 3])

= meshgrid
> table.unpack(pt.meshgrid(pt.tensor{1, 2}, pt.tensor{3, 4}))
tensor([[1, 1],
        [2, 2]])  tensor([[3, 4],
        [3, 4]])

= split
> table.unpack(pt.range(1, 5):split(2))
tensor([1, 2])  tensor([3, 4])  tensor([5])

= quantile
> pt.tensor({1.0, 2, 3}):quantile({0.25, 0.5})
tensor([1.5000, 2.0000])

= bincount
> pt.tensor({1, 3, 3}):bincount()
tensor([1, 0, 2])

= diagonal
> pt.range(1, 9):reshape(3, 3):diagonal(1)
tensor([2, 6])

= scatter_reduce
> pt.zeros(2):scatter_reduce(1, pt.tensor{1, 1, 2}, pt.tensor{3.0, 5, -1}, "amax")
tensor([5., 0.])

= median
> pt.tensor({3.0, 1, 2, 9}):median()
tensor(2.)

= flip
> pt.range(1, 3):flip(1)
tensor([3, 2, 1])

= unique
> pt.tensor({3, 1, 3}):unique{return_counts = true}
tensor([1, 3])  tensor([1, 2])

= tile
> pt.tensor({1, 2}):tile(2)
tensor([1, 2, 1, 2])

= mode
> pt.tensor({2, 1, 2}):mode()
tensor(2)  tensor(3)

= where
> pt.where(pt.tensor{true, false}, 1.5, pt.tensor{7.0, 8.0})
tensor([1.5000, 8.0000])

= histc
> pt.tensor({1.0, 2, 2, 5}):histc(2)
tensor([3., 1.])
]==]
