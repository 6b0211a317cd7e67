-- Examples of functions element by element: see reference.lua.
return [==[
= abs
> pt.tensor({ -1, 2 }):abs()
tensor([1, 2])

= absolute
> pt.tensor({ -1, 2 }):absolute()
tensor([1, 2])

= acos
> pt.tensor({ 0.25, 0.5 }):acos()
tensor([1.3181, 1.0472])

= acosh
> pt.tensor({ 1.0, 2 }):acosh()
tensor([0.0000, 1.3170])

= airy_ai
> pt.tensor({ 0.0, 1 }):airy_ai()
tensor([0.3550, 0.1353])

= arccos
> pt.tensor({ 0.25, 0.5 }):arccos()
tensor([1.3181, 1.0472])

= arccosh
> pt.tensor({ 1.0, 2 }):arccosh()
tensor([0.0000, 1.3170])

= arcsin
> pt.tensor({ 0.25, 0.5 }):arcsin()
tensor([0.2527, 0.5236])

= arcsinh
> pt.tensor({ 0.25, 0.5 }):arcsinh()
tensor([0.2475, 0.4812])

= arctan
> pt.tensor({ 0.25, 0.5 }):arctan()
tensor([0.2450, 0.4636])

= arctanh
> pt.tensor({ 0.25, 0.5 }):arctanh()
tensor([0.2554, 0.5493])

= asin
> pt.tensor({ 0.25, 0.5 }):asin()
tensor([0.2527, 0.5236])

= asinh
> pt.tensor({ 0.25, 0.5 }):asinh()
tensor([0.2475, 0.4812])

= atan
> pt.tensor({ 0.25, 0.5 }):atan()
tensor([0.2450, 0.4636])

= atanh
> pt.tensor({ 0.25, 0.5 }):atanh()
tensor([0.2554, 0.5493])

= bessel_j0
> pt.tensor({ 0.0, 1 }):bessel_j0()
tensor([1.0000, 0.7652])

= bessel_j1
> pt.tensor({ 0.0, 1 }):bessel_j1()
tensor([0.0000, 0.4401])

= bessel_y0
> pt.tensor({ 1.0, 2 }):bessel_y0()
tensor([0.0883, 0.5104])

= bessel_y1
> pt.tensor({ 1.0, 2 }):bessel_y1()
tensor([-0.7812, -0.1070])

= bitwise_left_shift
> pt.tensor({ 1, 3 }) << 2
tensor([ 4, 12])

= bitwise_or
> pt.tensor({ 1, 4 }) | 2
tensor([3, 6])

= bitwise_right_shift
> pt.tensor({ 8, 5 }) >> 1
tensor([4, 2])

= bitwise_xor
> pt.tensor({ 1, 3 }) ~ 2
tensor([3, 1])

= ceil
> pt.tensor({ -1.5, 1.5 }):ceil()
tensor([-1.,  2.])

= celu
> pt.tensor({ -1.0, 0, 2 }):celu()
tensor([-0.6321,  0.0000,  2.0000])

= celu_
> pt.tensor({ -1.0, 0, 2 }):celu_()
tensor([-0.6321,  0.0000,  2.0000])

= copysign
> pt.tensor({ 1.0, 2 }):copysign(pt.tensor { -1.0, 1 })
tensor([-1.,  2.])

= cos
> pt.tensor({ 0.25, 0.5 }):cos()
tensor([0.9689, 0.8776])

= cosh
> pt.tensor({ 0.25, 0.5 }):cosh()
tensor([1.0314, 1.1276])

= deg2rad
> pt.tensor({ 180.0, 90 }):deg2rad()
tensor([3.1416, 1.5708])

= digamma
> pt.tensor({ 1.0, 2 }):digamma()
tensor([-0.5772,  0.4228])

= divide
> pt.divide(pt.tensor { 1.0, 2 }, 2)
tensor([0.5000, 1.0000])

= elu
> pt.tensor({ -1.0, 0, 2 }):elu()
tensor([-0.6321,  0.0000,  2.0000])

= entr
> pt.tensor({ 0.25, 0.5 }):entr()
tensor([0.3466, 0.3466])

= eq
> pt.tensor({ 1, 2, 3 }):eq(2)
tensor([False,  True, False])

= erf
> pt.tensor({ 0.25, 0.5 }):erf()
tensor([0.2763, 0.5205])

= erfc
> pt.tensor({ 0.25, 0.5 }):erfc()
tensor([0.7237, 0.4795])

= erfcx
> pt.tensor({ 0.0, 30 }):erfcx()
tensor([1.0000, 0.0188])

= exp
> pt.tensor({ 0.25, 0.5 }):exp()
tensor([1.2840, 1.6487])

= exp2
> pt.tensor({ 0.25, 0.5 }):exp2()
tensor([1.1892, 1.4142])

= expit
> pt.special.expit(pt.tensor { 0.25, 0.5 })
tensor([0.5622, 0.6225])

= expm1
> pt.tensor({ 0.25, 0.5 }):expm1()
tensor([0.2840, 0.6487])

= fix
> pt.tensor({ -1.5, 1.5 }):fix()
tensor([-1.,  1.])

= floor
> pt.tensor({ -1.5, 1.5 }):floor()
tensor([-2.,  1.])

= floor_divide
> pt.tensor({ -7, 7 }):floor_divide(2)
tensor([-4,  3])

= fmax
> pt.fmax(pt.tensor { 1.0, 0 / 0 }, pt.tensor { 2.0, 2 })
tensor([2., 2.])

= fmin
> pt.fmin(pt.tensor { 1.0, 0 / 0 }, pt.tensor { 2.0, 2 })
tensor([1., 2.])

= frac
> pt.tensor({ -1.5, 1.5 }):frac()
tensor([-0.5000,  0.5000])

= gammaln
> pt.special.gammaln(pt.tensor { 3.0, 4 })
tensor([0.6931, 1.7918])

= gcd
> pt.tensor({ 12 }):gcd(pt.tensor { 18 })
tensor([6])

= ge
> pt.tensor({ 1, 2, 3 }):ge(2)
tensor([False,  True,  True])

= greater
> pt.tensor({ 1, 2, 3 }):greater(2)
tensor([False, False,  True])

= greater_equal
> pt.tensor({ 1, 2, 3 }):greater_equal(2)
tensor([False,  True,  True])

= gt
> pt.tensor({ 1, 2, 3 }):gt(2)
tensor([False, False,  True])

= hardshrink
> pt.tensor({ -1.0, 0, 2 }):hardshrink()
tensor([-1.,  0.,  2.])

= hardsigmoid
> pt.tensor({ -1.0, 0, 2 }):hardsigmoid()
tensor([0.3333, 0.5000, 0.8333])

= hardswish
> pt.tensor({ -1.0, 0, 2 }):hardswish()
tensor([-0.3333,  0.0000,  1.6667])

= hardtanh
> pt.tensor({ -1.0, 0, 2 }):hardtanh()
tensor([-1.,  0.,  1.])

= heaviside
> pt.tensor({ -1.0, 0, 2 }):heaviside(pt.tensor { 0.5 })
tensor([0.0000, 0.5000, 1.0000])

= hypot
> pt.tensor({ 3.0 }):hypot(pt.tensor { 4.0 })
tensor([5.])

= i0
> pt.tensor({ 0.25, 0.5 }):i0()
tensor([1.0157, 1.0635])

= i0e
> pt.tensor({ 0.0, 100 }):i0e()
tensor([1.0000, 0.0399])

= i1
> pt.tensor({ 0.25, 0.5 }):i1()
tensor([0.1260, 0.2579])

= i1e
> pt.tensor({ 0.0, 100 }):i1e()
tensor([0.0000, 0.0397])

= igamma
> pt.igamma(pt.tensor { 1.0 }, pt.tensor { 1.0 })
tensor([0.6321])

= igamma_
> pt.tensor({ 1.0 }):igamma_(pt.tensor { 1.0 })
tensor([0.6321])

= igammac
> pt.igammac(pt.tensor { 1.0 }, pt.tensor { 1.0 })
tensor([0.3679])

= igammac_
> pt.tensor({ 1.0 }):igammac_(pt.tensor { 1.0 })
tensor([0.3679])

= isfinite
> pt.tensor({ 1 / 0, 1 }):isfinite()
tensor([False,  True])

= isinf
> pt.tensor({ 1 / 0, 1 }):isinf()
tensor([ True, False])

= isnan
> pt.tensor({ 0 / 0, 1 }):isnan()
tensor([ True, False])

= isneginf
> pt.tensor({ -1 / 0, 1 }):isneginf()
tensor([ True, False])

= isposinf
> pt.tensor({ 1 / 0, 1 }):isposinf()
tensor([ True, False])

= isreal
> pt.tensor({ 1.0, 2 }):isreal()
tensor([True, True])

= lcm
> pt.tensor({ 4 }):lcm(pt.tensor { 6 })
tensor([12])

= le
> pt.tensor({ 1, 2, 3 }):le(2)
tensor([ True,  True, False])

= leaky_relu
> pt.tensor({ -1.0, 0, 2 }):leaky_relu()
tensor([-0.0100,  0.0000,  2.0000])

= lerp
> pt.tensor({ 0.0 }):lerp(pt.tensor { 10.0 }, 0.25)
tensor([2.5000])

= less
> pt.tensor({ 1, 2, 3 }):less(2)
tensor([ True, False, False])

= less_equal
> pt.tensor({ 1, 2, 3 }):less_equal(2)
tensor([ True,  True, False])

= lgamma
> pt.tensor({ 3.0, 4 }):lgamma()
tensor([0.6931, 1.7918])

= log
> pt.tensor({ 1.0, 10 }):log()
tensor([0.0000, 2.3026])

= log10
> pt.tensor({ 1.0, 100 }):log10()
tensor([0., 2.])

= log1p
> pt.tensor({ 0.25, 0.5 }):log1p()
tensor([0.2231, 0.4055])

= log2
> pt.tensor({ 1.0, 8 }):log2()
tensor([0., 3.])

= log_ndtr
> pt.tensor({ 0.25, 0.5 }):log_ndtr()
tensor([-0.5130, -0.3689])

= logaddexp2
> pt.logaddexp2(pt.tensor { 0.0 }, pt.tensor { 0.0 })
tensor([1.])

= logical_and
> pt.tensor({ true, false }):logical_and(pt.tensor { true, true })
tensor([ True, False])

= logical_not
> pt.tensor({ true, false }):logical_not()
tensor([False,  True])

= logical_or
> pt.tensor({ true, false }):logical_or(pt.tensor { true, true })
tensor([True, True])

= logical_xor
> pt.tensor({ true, false }):logical_xor(pt.tensor { true, true })
tensor([False,  True])

= logit
> pt.tensor({ 0.25, 0.5 }):logit()
tensor([-1.0986,  0.0000])

= logsigmoid
> pt.tensor({ -1.0, 0, 2 }):logsigmoid()
tensor([-1.3133, -0.6931, -0.1269])

= lt
> pt.tensor({ 1, 2, 3 }):lt(2)
tensor([ True, False, False])

= maximum
> pt.tensor({ 1, 5 }):maximum(pt.tensor { 3, 3 })
tensor([3, 5])

= minimum
> pt.tensor({ 1, 5 }):minimum(pt.tensor { 3, 3 })
tensor([1, 3])

= mish
> pt.tensor({ -1.0, 0, 2 }):mish()
tensor([-0.3034,  0.0000,  1.9440])

= mul
> pt.tensor({ 1, 2 }):mul(10)
tensor([10, 20])

= multiply
> pt.multiply(pt.tensor { 1, 2 }, 10)
tensor([10, 20])

= ndtr
> pt.tensor({ 0.25, 0.5 }):ndtr()
tensor([0.5987, 0.6915])

= ne
> pt.tensor({ 1, 2, 3 }):ne(2)
tensor([ True, False,  True])

= neg
> pt.tensor({ 1, -2 }):neg()
tensor([-1,  2])

= negative
> pt.tensor({ 1, -2 }):negative()
tensor([-1,  2])

= nextafter
> pt.tensor({ 1.0 }):nextafter(pt.tensor { 2.0 }):gt(1)
tensor([True])

= not_equal
> pt.tensor({ 1, 2, 3 }):not_equal(2)
tensor([ True, False,  True])

= polygamma
> pt.polygamma(1, pt.tensor { 1.0 })
tensor([1.6449])

= positive
> pt.tensor({ 1, -2 }):positive()
tensor([ 1, -2])

= pow
> pt.tensor({ 2, 3 }):pow(2)
tensor([4, 9])

= rad2deg
> pt.tensor({ 3.14159, 0 }):rad2deg()
tensor([179.9999,   0.0000])

= reciprocal
> pt.tensor({ 2.0, 4 }):reciprocal()
tensor([0.5000, 0.2500])

= relu
> pt.tensor({ -1.0, 0, 2 }):relu()
tensor([0., 0., 2.])

= relu6
> pt.tensor({ -1.0, 0, 2 }):relu6()
tensor([0., 0., 2.])

= rsqrt
> pt.tensor({ 4.0, 16 }):rsqrt()
tensor([0.5000, 0.2500])

= selu
> pt.tensor({ -1.0, 0, 2 }):selu()
tensor([-1.1113,  0.0000,  2.1014])

= sgn
> pt.tensor({ -3, 0, 3 }):sgn()
tensor([-1,  0,  1])

= sigmoid
> pt.tensor({ 0.25, 0.5 }):sigmoid()
tensor([0.5622, 0.6225])

= sign
> pt.tensor({ -3, 0, 3 }):sign()
tensor([-1,  0,  1])

= signbit
> pt.tensor({ -3, 0, 3 }):signbit()
tensor([ True, False, False])

= silu
> pt.tensor({ -1.0, 0, 2 }):silu()
tensor([-0.2689,  0.0000,  1.7616])

= sin
> pt.tensor({ 0.25, 0.5 }):sin()
tensor([0.2474, 0.4794])

= sinc
> pt.tensor({ 0.25, 0.5 }):sinc()
tensor([0.9003, 0.6366])

= sinh
> pt.tensor({ 0.25, 0.5 }):sinh()
tensor([0.2526, 0.5211])

= softplus
> pt.tensor({ -1.0, 0, 2 }):softplus()
tensor([0.3133, 0.6931, 2.1269])

= softshrink
> pt.tensor({ -1.0, 0, 2 }):softshrink()
tensor([-0.5000,  0.0000,  1.5000])

= softsign
> pt.tensor({ -1.0, 0, 2 }):softsign()
tensor([-0.5000,  0.0000,  0.6667])

= special.airy_ai
> pt.special.airy_ai(pt.tensor { 0.0, 1 })
tensor([0.3550, 0.1353])

= special.bessel_j0
> pt.special.bessel_j0(pt.tensor { 0.0, 1 })
tensor([1.0000, 0.7652])

= special.bessel_j1
> pt.special.bessel_j1(pt.tensor { 0.0, 1 })
tensor([0.0000, 0.4401])

= special.bessel_y0
> pt.special.bessel_y0(pt.tensor { 1.0, 2 })
tensor([0.0883, 0.5104])

= special.bessel_y1
> pt.special.bessel_y1(pt.tensor { 1.0, 2 })
tensor([-0.7812, -0.1070])

= special.chebyshev_polynomial_t
> pt.special.chebyshev_polynomial_t(pt.tensor { 0.5, 2 }, 3)
tensor([-1., 26.])

= special.chebyshev_polynomial_u
> pt.special.chebyshev_polynomial_u(pt.tensor { 0.5, 2 }, 3)
tensor([-1., 56.])

= special.chebyshev_polynomial_v
> pt.special.chebyshev_polynomial_v(pt.tensor { 0.5, 2 }, 3)
tensor([-1., 41.])

= special.chebyshev_polynomial_w
> pt.special.chebyshev_polynomial_w(pt.tensor { 0.5, 2 }, 3)
tensor([-1., 71.])

= special.digamma
> pt.special.digamma(pt.tensor { 1.0, 2 })
tensor([-0.5772,  0.4228])

= special.entr
> pt.special.entr(pt.tensor { 0.25, 0.5 })
tensor([0.3466, 0.3466])

= special.erf
> pt.special.erf(pt.tensor { 0.25, 0.5 })
tensor([0.2763, 0.5205])

= special.erfc
> pt.special.erfc(pt.tensor { 0.25, 0.5 })
tensor([0.7237, 0.4795])

= special.erfcx
> pt.special.erfcx(pt.tensor { 0.0, 30 })
tensor([1.0000, 0.0188])

= special.erfinv
> pt.special.erfinv(pt.tensor { 0.25, 0.5 })
tensor([0.2253, 0.4769])

= special.exp2
> pt.special.exp2(pt.tensor { 0.25, 0.5 })
tensor([1.1892, 1.4142])

= special.expit
> pt.special.expit(pt.tensor { 0.25, 0.5 })
tensor([0.5622, 0.6225])

= special.expm1
> pt.special.expm1(pt.tensor { 0.25, 0.5 })
tensor([0.2840, 0.6487])

= special.gammainc
> pt.special.gammainc(pt.tensor { 1.0 }, pt.tensor { 1.0 })
tensor([0.6321])

= special.gammaincc
> pt.special.gammaincc(pt.tensor { 1.0 }, pt.tensor { 1.0 })
tensor([0.3679])

= special.gammaln
> pt.special.gammaln(pt.tensor { 3.0, 4 })
tensor([0.6931, 1.7918])

= special.hermite_polynomial_h
> pt.special.hermite_polynomial_h(pt.tensor { 0.5, 2 }, 3)
tensor([-5., 40.])

= special.hermite_polynomial_he
> pt.special.hermite_polynomial_he(pt.tensor { 0.5, 2 }, 3)
tensor([-1.3750,  2.0000])

= special.i0
> pt.special.i0(pt.tensor { 0.25, 0.5 })
tensor([1.0157, 1.0635])

= special.i0e
> pt.special.i0e(pt.tensor { 0.0, 100 })
tensor([1.0000, 0.0399])

= special.i1
> pt.special.i1(pt.tensor { 0.25, 0.5 })
tensor([0.1260, 0.2579])

= special.i1e
> pt.special.i1e(pt.tensor { 0.0, 100 })
tensor([0.0000, 0.0397])

= special.laguerre_polynomial_l
> pt.special.laguerre_polynomial_l(pt.tensor { 0.5, 2 }, 3)
tensor([-0.1458, -0.3333])

= special.legendre_polynomial_p
> pt.special.legendre_polynomial_p(pt.tensor { 0.5, 2 }, 3)
tensor([-0.4375, 17.0000])

= special.log1p
> pt.special.log1p(pt.tensor { 0.25, 0.5 })
tensor([0.2231, 0.4055])

= special.log_ndtr
> pt.special.log_ndtr(pt.tensor { 0.25, 0.5 })
tensor([-0.5130, -0.3689])

= special.log_softmax
> pt.special.log_softmax(pt.tensor { 0.0, 0 }, 1)
tensor([-0.6931, -0.6931])

= special.logit
> pt.special.logit(pt.tensor { 0.25, 0.5 })
tensor([-1.0986,  0.0000])

= special.logsumexp
> pt.special.logsumexp(pt.tensor { 0.0, 0 }, 1)
tensor(0.6931)

= special.modified_bessel_i0
> pt.special.modified_bessel_i0(pt.tensor { 0.0, 1 })
tensor([1.0000, 1.2661])

= special.modified_bessel_i1
> pt.special.modified_bessel_i1(pt.tensor { 0.0, 1 })
tensor([0.0000, 0.5652])

= special.modified_bessel_k0
> pt.special.modified_bessel_k0(pt.tensor { 1.0, 2 })
tensor([0.4210, 0.1139])

= special.modified_bessel_k1
> pt.special.modified_bessel_k1(pt.tensor { 1.0, 2 })
tensor([0.6019, 0.1399])

= special.multigammaln
> pt.special.multigammaln(pt.tensor { 3.0 }, 2)
tensor([1.5502])

= special.ndtr
> pt.special.ndtr(pt.tensor { 0.25, 0.5 })
tensor([0.5987, 0.6915])

= special.ndtri
> pt.special.ndtri(pt.tensor { 0.25, 0.5 })
tensor([-0.6745,  0.0000])

= special.polygamma
> pt.special.polygamma(1, pt.tensor { 1.0 })
tensor([1.6449])

= special.psi
> pt.special.psi(pt.tensor { 1.0, 2 })
tensor([-0.5772,  0.4228])

= special.round
> pt.special.round(pt.tensor { 1.26 }, { decimals = 1 })
tensor([1.3000])

= special.scaled_modified_bessel_k0
> pt.special.scaled_modified_bessel_k0(pt.tensor { 1.0, 100 })
tensor([1.1445, 0.1252])

= special.scaled_modified_bessel_k1
> pt.special.scaled_modified_bessel_k1(pt.tensor { 1.0, 100 })
tensor([1.6362, 0.1258])

= special.shifted_chebyshev_polynomial_t
> pt.special.shifted_chebyshev_polynomial_t(pt.tensor { 0.5, 1 }, 3)
tensor([-0., 1.])

= special.shifted_chebyshev_polynomial_u
> pt.special.shifted_chebyshev_polynomial_u(pt.tensor { 0.5, 1 }, 3)
tensor([-0., 4.])

= special.shifted_chebyshev_polynomial_v
> pt.special.shifted_chebyshev_polynomial_v(pt.tensor { 0.5, 1 }, 3)
tensor([1., 1.])

= special.shifted_chebyshev_polynomial_w
> pt.special.shifted_chebyshev_polynomial_w(pt.tensor { 0.5, 1 }, 3)
tensor([-1.,  7.])

= special.sinc
> pt.special.sinc(pt.tensor { 0.25, 0.5 })
tensor([0.9003, 0.6366])

= special.softmax
> pt.special.softmax(pt.tensor { 0.0, 0 }, 1)
tensor([0.5000, 0.5000])

= special.spherical_bessel_j0
> pt.special.spherical_bessel_j0(pt.tensor { 0.0, 1 })
tensor([1.0000, 0.8415])

= special.xlog1py
> pt.special.xlog1py(pt.tensor { 0.0, 2 }, pt.tensor { -1.0, 1 })
tensor([0.0000, 1.3863])

= special.xlogy
> pt.special.xlogy(pt.tensor { 0.0, 2 }, pt.tensor { 0.0, 1 })
tensor([0., 0.])

= special.zeta
> pt.special.zeta(2, pt.tensor { 1.0 })
tensor([1.6449])

= sqrt
> pt.tensor({ 4.0, 9 }):sqrt()
tensor([2., 3.])

= square
> pt.tensor({ -3, 3 }):square()
tensor([9, 9])

= tan
> pt.tensor({ 0.25, 0.5 }):tan()
tensor([0.2553, 0.5463])

= tanh
> pt.tensor({ 0.25, 0.5 }):tanh()
tensor([0.2449, 0.4621])

= tanhshrink
> pt.tensor({ -1.0, 0, 2 }):tanhshrink()
tensor([-0.2384,  0.0000,  1.0360])

= threshold
> F.threshold(pt.tensor { 0.5, 2 }, 1, 0)
tensor([0., 2.])

= true_divide
> pt.true_divide(pt.tensor { 1, 2 }, 2)
tensor([0.5000, 1.0000])

= trunc
> pt.tensor({ -1.5, 1.5 }):trunc()
tensor([-1.,  1.])

= xlog1py
> pt.xlog1py(pt.tensor { 0.0, 2 }, pt.tensor { -1.0, 1 })
tensor([0.0000, 1.3863])

= xlogy
> pt.xlogy(pt.tensor { 0.0, 2 }, pt.tensor { 0.0, 1 })
tensor([0., 0.])
]==]
