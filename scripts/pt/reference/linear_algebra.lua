-- Examples of pt.linalg, of older names for its functions, and of pt.fft: see reference.lua.
return [==[
= fft.fft
> pt.fft.fft(pt.tensor { 1.0, 0, 0, 0 })
tensor([1.+0.j, 1.+0.j, 1.+0.j, 1.+0.j])

= fft.fft2
> pt.fft.fft2(pt.ones(2, 2)):real()
tensor([[4., 0.],
        [0., 0.]])

= fft.fftfreq
> pt.fft.fftfreq(4)
tensor([ 0.0000,  0.2500, -0.5000, -0.2500])

= fft.fftn
> pt.fft.fftn(pt.ones(2, 2, 2)).shape
[2, 2, 2]

= fft.fftshift
> pt.fft.fftshift(pt.fft.fftfreq(4))
tensor([-0.5000, -0.2500,  0.0000,  0.2500])

= fft.hfft
> pt.fft.hfft(pt.tensor { 1.0, 2, 3 })
tensor([ 8., -2.,  0., -2.])

= fft.hfft2
> pt.fft.hfft2(pt.ones(2, 2)):round()
tensor([[4., 0.],
        [0., 0.]])

= fft.hfftn
> pt.fft.hfftn(pt.ones(2, 2, 2)).shape
[2, 2, 2]

= fft.ifft
> pt.fft.ifft(pt.fft.fft(pt.tensor { 1.0, 2 })):real()
tensor([1., 2.])

= fft.ifft2
> pt.fft.ifft2(pt.fft.fft2(pt.ones(2, 2))):real()
tensor([[1., 1.],
        [1., 1.]])

= fft.ifftn
> pt.fft.ifftn(pt.fft.fftn(pt.ones(2, 2, 2))).shape
[2, 2, 2]

= fft.ifftshift
> pt.fft.ifftshift(pt.tensor { -2, -1, 0, 1 })
tensor([ 0,  1, -2, -1])

= fft.ihfft
> pt.fft.ihfft(pt.ones(4)):real()
tensor([1., 0., 0.])

= fft.ihfft2
> pt.fft.ihfft2(pt.ones(2, 4)):real()
tensor([[1., 0., 0.],
        [0., 0., 0.]])

= fft.ihfftn
> pt.fft.ihfftn(pt.ones(2, 2, 4)).shape
[2, 2, 3]

= fft.irfft
> pt.fft.irfft(pt.fft.rfft(pt.tensor { 1.0, 2, 3, 4 }))
tensor([1., 2., 3., 4.])

= fft.irfft2
> pt.fft.irfft2(pt.fft.rfft2(pt.ones(2, 2)))
tensor([[1., 1.],
        [1., 1.]])

= fft.irfftn
> pt.fft.irfftn(pt.fft.rfftn(pt.ones(2, 2, 2))).shape
[2, 2, 2]

= fft.rfft
> pt.fft.rfft(pt.ones(4)):real()
tensor([4., 0., 0.])

= fft.rfft2
> pt.fft.rfft2(pt.ones(4, 4)).shape
[4, 3]

= fft.rfftfreq
> pt.fft.rfftfreq(4)
tensor([0.0000, 0.2500, 0.5000])

= fft.rfftn
> pt.fft.rfftn(pt.ones(2, 4, 4)).shape
[2, 4, 3]

= linalg.cholesky
> pt.linalg.cholesky(pt.tensor { { 4.0, 2 }, { 2, 3 } })
tensor([[2.0000, 0.0000],
        [1.0000, 1.4142]])

= linalg.cholesky_ex
> pt.linalg.cholesky_ex(pt.tensor { { 1.0, 0 }, { 0, 4 } })
tensor([[1., 0.],
        [0., 2.]])  tensor(0, dtype=pt.int32)

= linalg.cond
> pt.linalg.cond(pt.tensor { { 1.0, 0 }, { 0, 4 } })
tensor(4.)

= linalg.cross
> pt.linalg.cross(pt.tensor { 1.0, 0, 0 }, pt.tensor { 0.0, 1, 0 })
tensor([0., 0., 1.])

= linalg.det
> pt.linalg.det(pt.tensor { { 4.0, 2 }, { 2, 3 } })
tensor(8.)

= linalg.diagonal
> pt.linalg.diagonal(pt.tensor { { 4.0, 2 }, { 2, 3 } })
tensor([4., 3.])

= linalg.eig
> pt.linalg.eig(pt.tensor { { 2.0, 0 }, { 0, 3 } })
tensor([2.+0.j, 3.+0.j])  tensor([[1.+0.j, 0.+0.j],
        [0.+0.j, 1.+0.j]])

= linalg.eigh
> (pt.linalg.eigh(pt.tensor { { 2.0, 1 }, { 1, 2 } }))
tensor([1., 3.])

= linalg.eigvals
> pt.linalg.eigvals(pt.tensor { { 2.0, 0 }, { 0, 3 } })
tensor([2.+0.j, 3.+0.j])

= linalg.eigvalsh
> pt.linalg.eigvalsh(pt.tensor { { 2.0, 1 }, { 1, 2 } })
tensor([1., 3.])

= linalg.householder_product
> pt.linalg.householder_product(pt.eye(2), pt.zeros(2))
tensor([[1., 0.],
        [0., 1.]])

= linalg.inv
> pt.linalg.inv(pt.tensor { { 2.0, 0 }, { 0, 4 } })
tensor([[0.5000, 0.0000],
        [0.0000, 0.2500]])

= linalg.inv_ex
> pt.linalg.inv_ex(pt.tensor { { 2.0, 0 }, { 0, 4 } })
tensor([[0.5000, 0.0000],
        [0.0000, 0.2500]])  tensor(0, dtype=pt.int32)

= linalg.ldl_factor
> pt.linalg.ldl_factor(pt.tensor { { 0.0, 1 }, { 1, 0 } })
tensor([[0., 0.],
        [1., 0.]])  tensor([-2, -2], dtype=pt.int32)

= linalg.ldl_factor_ex
> select(3, pt.linalg.ldl_factor_ex(pt.zeros(2, 2)))
tensor(1, dtype=pt.int32)

= linalg.ldl_solve
> local LD, pivots = pt.linalg.ldl_factor(pt.tensor { { 2.0, 0 }, { 0, 4 } })
> pt.linalg.ldl_solve(LD, pivots, pt.tensor { { 2.0 }, { 8 } })
tensor([[1.],
        [2.]])

= linalg.lstsq
> (pt.linalg.lstsq(pt.tensor { { 1.0 }, { 1 } }, pt.tensor { { 2.0 }, { 4 } }))
tensor([[3.]])

= linalg.lu
> pt.linalg.lu(pt.tensor { { 2.0, 1 }, { 4, 3 } })
tensor([[0., 1.],
        [1., 0.]])  tensor([[1.0000, 0.0000],
        [0.5000, 1.0000]])  tensor([[ 4.0000,  3.0000],
        [ 0.0000, -0.5000]])

= linalg.lu_factor
> pt.linalg.lu_factor(pt.tensor { { 2.0, 1 }, { 4, 3 } })
tensor([[ 4.0000,  3.0000],
        [ 0.5000, -0.5000]])  tensor([2, 2], dtype=pt.int32)

= linalg.lu_factor_ex
> pt.linalg.lu_factor_ex(pt.eye(2))
tensor([[1., 0.],
        [0., 1.]])  tensor([1, 2], dtype=pt.int32)  tensor(0, dtype=pt.int32)

= linalg.lu_solve
> local LU, pivots = pt.linalg.lu_factor(pt.eye(2) * 2)
> pt.linalg.lu_solve(LU, pivots, pt.tensor { { 2.0 }, { 4 } })
tensor([[1.],
        [2.]])

= linalg.matmul
> pt.linalg.matmul(pt.eye(2), pt.tensor { 5.0, 6 })
tensor([5., 6.])

= linalg.matrix_exp
> pt.linalg.matrix_exp(pt.zeros(2, 2))
tensor([[1., 0.],
        [0., 1.]])

= linalg.matrix_norm
> pt.linalg.matrix_norm(pt.tensor { { 3.0, 0 }, { 0, 4 } })
tensor(5.)

= linalg.matrix_power
> pt.linalg.matrix_power(pt.tensor { { 1.0, 1 }, { 0, 1 } }, 3)
tensor([[1., 3.],
        [0., 1.]])

= linalg.matrix_rank
> pt.linalg.matrix_rank(pt.ones(2, 2))
tensor(1)

= linalg.matrix_sqrth
> pt.linalg.matrix_sqrth(pt.tensor { { 4.0, 0 }, { 0, 9 } })
tensor([[2., 0.],
        [0., 3.]])

= linalg.multi_dot
> pt.linalg.multi_dot({ pt.ones(2, 3), pt.ones(3, 4), pt.ones(4, 1) }).shape
[2, 1]

= linalg.norm
> pt.linalg.norm(pt.tensor { 3.0, 4 })
tensor(5.)

= linalg.pinv
> pt.linalg.pinv(pt.tensor { { 2.0, 0 }, { 0, 4 } })
tensor([[0.5000, 0.0000],
        [0.0000, 0.2500]])

= linalg.polar
> pt.linalg.polar(pt.tensor { { 0.0, 2 }, { 3, 0 } })
tensor([[0., 1.],
        [1., 0.]])  tensor([[3., 0.],
        [0., 2.]])

= linalg.qr
> local Q, R = pt.linalg.qr(pt.tensor { { 4.0, 2 }, { 2, 3 } })
> Q:matmul(R):allclose(pt.tensor { { 4.0, 2 }, { 2, 3 } })
true

= linalg.slogdet
> pt.linalg.slogdet(pt.eye(2) * -2)
tensor(1.)  tensor(1.3863)

= linalg.solve
> pt.linalg.solve(pt.tensor { { 2.0, 0 }, { 0, 4 } }, pt.tensor { 2.0, 2 })
tensor([1.0000, 0.5000])

= linalg.solve_ex
> pt.linalg.solve_ex(pt.tensor { { 2.0, 0 }, { 0, 4 } }, pt.tensor { 2.0, 2 })
tensor([1.0000, 0.5000])  tensor(0, dtype=pt.int32)

= linalg.solve_triangular
> pt.linalg.solve_triangular(pt.tensor { { 2.0, 0 }, { 0, 4 } }, pt.ones(2, 1), { upper = true })
tensor([[0.5000],
        [0.2500]])

= linalg.svd
> local U, S, Vh = pt.linalg.svd(pt.tensor { { 3.0, 0 }, { 0, 4 } })
> S
tensor([4., 3.])

= linalg.svdvals
> pt.linalg.svdvals(pt.tensor { { 3.0, 0 }, { 0, 4 } })
tensor([4., 3.])

= linalg.tensorinv
> pt.linalg.tensorinv(pt.eye(4):view(2, 2, 4)).shape
[4, 2, 2]

= linalg.tensorsolve
> pt.linalg.tensorsolve(pt.eye(4):view(2, 2, 4), pt.ones(2, 2))
tensor([1., 1., 1., 1.])

= linalg.vander
> pt.linalg.vander(pt.tensor { 2.0, 3 }, 3)
tensor([[1., 2., 4.],
        [1., 3., 9.]])

= linalg.vecdot
> pt.linalg.vecdot(pt.tensor { 1.0, 2 }, pt.tensor { 3.0, 4 })
tensor(11.)

= linalg.vector_norm
> pt.linalg.vector_norm(pt.tensor { 3.0, 4 })
tensor(5.)

= chain_matmul
> pt.chain_matmul(pt.ones(2, 3), pt.ones(3, 4), pt.ones(4, 1))
tensor([[12.],
        [12.]])

= cholesky
> pt.tensor({ { 4.0, 2 }, { 2, 3 } }):cholesky()
tensor([[2.0000, 0.0000],
        [1.0000, 1.4142]])

= cholesky_inverse
> pt.cholesky_inverse(pt.tensor { { 2.0, 0 }, { 0, 4 } })
tensor([[0.2500, 0.0000],
        [0.0000, 0.0625]])

= cholesky_solve
> pt.tensor({ { 8.0 }, { 16 } }):cholesky_solve(pt.tensor { { 2.0, 0 }, { 0, 4 } })
tensor([[2.],
        [1.]])

= det
> pt.tensor({ { 1.0, 2 }, { 3, 4 } }):det()
tensor(-2.0000)

= geqrf
> local a, tau = pt.geqrf(pt.tensor { { 3.0 }, { 4 } })
> a, tau
tensor([[-5.0000],
        [ 0.5000]])  tensor([1.6000])

= inverse
> pt.tensor({ { 2.0, 0 }, { 0, 4 } }):inverse()
tensor([[0.5000, 0.0000],
        [0.0000, 0.2500]])

= lobpcg
> pt.lobpcg(pt.tensor { 1.0, 5, 2, 7 }:diag(), 1)[1]
tensor(7.0000)

= logdet
> pt.eye(2):mul(2):logdet()
tensor(1.3863)

= lu
> pt.lu(pt.tensor { { 4.0, 2 }, { 2, 3 } })
tensor([[4.0000, 2.0000],
        [0.5000, 2.0000]])  tensor([1, 2], dtype=pt.int32)

= lu_solve
> local LU, pivots = pt.lu(pt.tensor { { 4.0, 0 }, { 0, 2 } })
> pt.lu_solve(pt.tensor { { 8.0 }, { 4 } }, LU, pivots)
tensor([[2.],
        [2.]])

= lu_unpack
> local p, l, u = pt.lu_unpack(pt.lu(pt.tensor { { 4.0, 2 }, { 2, 3 } }))
> l, u
tensor([[1.0000, 0.0000],
        [0.5000, 1.0000]])  tensor([[4., 2.],
        [0., 2.]])

= orgqr
> local a, tau = pt.geqrf(pt.tensor { { 3.0 }, { 4 } })
> pt.orgqr(a, tau)
tensor([[-0.6000],
        [-0.8000]])

= ormqr
> local a, tau = pt.geqrf(pt.tensor { { 3.0 }, { 4 } })
> pt.ormqr(a, tau, pt.tensor { { 3.0 }, { 4 } }, true, true)
tensor([[-5.],
        [ 0.]])

= pca_lowrank
> local u, s, v = pt.pca_lowrank(pt.tensor { { 1.0, 1 }, { 2, 2 }, { 3, 3 } }, 1)
> s
tensor([2.])

= pinverse
> pt.tensor({ { 2.0, 0 }, { 0, 4 } }):pinverse()
tensor([[0.5000, 0.0000],
        [0.0000, 0.2500]])

= qr
> local q, r = pt.qr(pt.tensor { { 2.0, 0 }, { 0, 3 } })
> r:abs()
tensor([[2., 0.],
        [0., 3.]])

= slogdet
> pt.eye(2):mul(-2):slogdet()
tensor(1.)  tensor(1.3863)

= svd
> local u, s, v = pt.svd(pt.tensor { { 3.0, 0 }, { 0, 4 } })
> s
tensor([4., 3.])

= svd_lowrank
> local u, s, v = pt.svd_lowrank(pt.tensor { { 3.0, 0 }, { 0, 4 } }, 2)
> s
tensor([4.0000, 3.0000])

= triangular_solve
> (pt.triangular_solve(pt.tensor { { 8.0 }, { 4 } }, pt.tensor { { 2.0, 1 }, { 0, 4 } }))
tensor([[3.5000],
        [1.0000]])
]==]
