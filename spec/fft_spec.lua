-- pt.fft, stft and istft: each line is an expression and what PyTorch gives for it, complex numbers as pairs; then
-- lengths of all kinds, gradients, memory, errors.
local pt = require "pt"
local cases = require "spec.support.cases"
local gradcheck = require "spec.support.gradcheck"
local compare = require "spec.support.compare"
local layouts = require "spec.support.layouts"

local F = pt.fft

local function double(list) return pt.tensor(list, { dtype = pt.float64 }) end

local x = double { { 1.5, -2, 0.5, 1 }, { 3, 0.25, -1, 2 }, { 0, 1, -0.5, 0.25 } }
local places = pt.arange(40):double()
local names = {
  pt = pt, F = F, x = x,
  z = pt.complex(double { 1, -2, 0.5, 3, 0 }, double { 0.5, 1.5, -1, 0, 2 }),
  w = pt.complex(x, x:flip(2) * 0.5),
  v = double { 1, 2, -1, 0.5, 3, -2, 0.25, 1 },
  s = (places * 0.7):sin() + places * 0.01,
  hann = pt.hann_window(8, { dtype = pt.float64 }),
}
names.S = pt.stack { names.s, names.s:flip(1) }

-- Of the real parts and twice the squared imaginary parts that a function gives, or of squared real numbers.
function names.grad(fn, a)
  local leaf = a:clone():requires_grad_()
  local y = fn(leaf)
  y = y.dtype.is_complex and y:real():sum() + 2 * y:imag():square():sum() or y:square():sum()
  y:backward()
  return leaf.grad
end

local values = {
  {
    "F.fft(z)",
    { { 2.5, 3.0 }, { -3.51290698, 5.76215264 }, { 4.35675736, -3.84264726 }, { 3.04242958, -1.43850569 }, {
    -1.38627996, -0.980999689 } },
  },
  {
    "F.ifft(z)",
    { { 0.5, 0.6 }, { -0.277255992, -0.196199938 }, { 0.608485916, -0.287701138 }, { 0.871351472, -0.768529452
    }, { -0.702581396, 1.15243053 } },
  },
  {
    "F.fft(v)",
    { { 4.75, 0.0 }, { 1.18198052, -1.22487373 }, { 4.75, 1.5 }, { -5.18198052, -3.72487373 }, { 1.75, 0.0 }, {
    -5.18198052, 3.72487373 }, { 4.75, -1.5 }, { 1.18198052, 1.22487373 } },
  },
  { "F.fft(z, 3)", { { -0.5, 1.0 }, { 3.91506351, 2.41506351 }, { -0.415063509, -1.91506351 } } },
  {
    "F.fft(z, 7)",
    { { 2.5, 3.0 }, { -3.73109484, -0.369634308 }, { 6.32496541, 6.82645921 }, { 1.9289211, -3.58608549 }, {
    2.96331857, -0.253884455 }, { -0.594911733, -2.19812507 }, { -2.39119851, 0.0812701094 } },
  },
  {
    "F.fft(w, nil, 1)",
    { { { 4.5, 1.625 }, { -0.75, -0.5 }, { -1.0, -0.375 }, { 3.25, 2.25 } }, { { 0.757772228, -2.66057621 }, {
    -2.84150635, 1.27451905 }, { 0.925240474, -0.879487298 }, { 1.17403811, -1.51554446 } }, { { -0.757772228,
    2.53557621 }, { -2.40849365, -0.0245190528 }, { 1.57475953, -1.7455127 }, { -1.42403811, 1.51554446 } } },
  },
  {
    "F.fft(z, {norm = 'ortho'})",
    { { 1.11803399, 1.34164079 }, { -1.57101976, 2.576913 }, { 1.94840112, -1.7184841 }, { 1.36061587,
    -0.643319301 }, { -0.619963245, -0.438716398 } },
  },
  {
    "F.fft(z, {norm = 'forward'})",
    { { 0.5, 0.6 }, { -0.702581396, 1.15243053 }, { 0.871351472, -0.768529452 }, { 0.608485916, -0.287701138 },
    { -0.277255992, -0.196199938 } },
  },
  {
    "F.ifft(z, {norm = 'forward'})",
    { { 2.5, 3.0 }, { -1.38627996, -0.980999689 }, { 3.04242958, -1.43850569 }, { 4.35675736, -3.84264726 }, {
    -3.51290698, 5.76215264 } },
  },
  {
    "F.ifft(w, {dim = 1, n = 4, norm = 'ortho'})",
    { { { 2.25, 0.8125 }, { -0.375, -0.25 }, { -0.5, -0.1875 }, { 1.625, 1.125 } }, { { 0.25, 1.6875 }, { -1.25,
    0.375 }, { 0.4375, -1.25 }, { -0.375, 1.375 } }, { { -0.75, -0.1875 }, { -0.625, 0.25 }, { 0.5, -0.3125 }, {
    -0.375, -0.375 } }, { { 1.25, -1.3125 }, { -1.75, 0.125 }, { 0.5625, -0.25 }, { 1.125, -0.625 } } },
  },
  {
    "F.rfft(v)",
    { { 4.75, 0.0 }, { 1.18198052, -1.22487373 }, { 4.75, 1.5 }, { -5.18198052, -3.72487373 }, { 1.75, 0.0 } },
  },
  {
    "F.rfft(v, 7)",
    { { 3.75, 0.0 }, { -0.0829761816, -1.25842366 }, { 5.38444881, -3.22681881 }, { -3.67647263, 2.45985472 } },
  },
  {
    "F.rfft(v, 11)",
    { { 4.75, 0.0 }, { 1.2556044, -1.54416126 }, { -0.0355087624, -0.159447093 }, { 6.39359122, -1.18740454 }, {
    -4.31172803, -5.3817781 }, { -0.176958828, 2.56438152 } },
  },
  {
    "F.rfft(x, {dim = 1})",
    { { { 4.5, 0.0 }, { -0.75, 0.0 }, { -1.0, 0.0 }, { 3.25, 0.0 } }, { { 0.0, -2.59807621 }, { -2.625,
    0.649519053 }, { 1.25, 0.433012702 }, { -0.125, -1.51554446 } } },
  },
  {
    "F.rfft(x, {norm = 'ortho'})",
    { { { 0.5, 0.0 }, { 0.5, 1.5 }, { 1.5, 0.0 } }, { { 2.125, 0.0 }, { 2.0, 0.875 }, { -0.125, 0.0 } }, { {
    0.375, 0.0 }, { 0.25, -0.375 }, { -0.875, 0.0 } } },
  },
  { "F.irfft(z)", { 0.5, -0.774048519, -0.375, 0.493718434, 0.0, 1.52404852, 0.375, -0.743718434 } },
  {
    "F.irfft(z, 9)",
    { 0.444444444, -0.690817499, -0.370390874, 0.0784190407, 0.461378921, 0.0996910626, 1.81046985,
    -0.437228089, -0.395966855 },
  },
  { "F.irfft(z, 5)", { -0.4, -0.544536803, 0.175923236, 1.64211075, 0.126502814 } },
  {
    "F.irfft(w, {dim = 1, norm = 'forward'})",
    { { 7.5, -0.5, -2.0, 5.25 }, { -0.5, -2.0, 0.75, -2.25 }, { -4.5, -1.5, 2.0, -2.75 }, { 3.5, -4.0, 1.25,
    3.75 } },
  },
  { "F.hfft(z)", { 4.0, -5.94974747, 3.0, 12.1923882, 0.0, 3.94974747, -3.0, -6.19238816 } },
  {
    "F.hfft(z, 7, -1, 'ortho')",
    { 1.51185789, -2.54243651, 3.22124187, 2.55411528, 0.388141351, 0.354342625, -2.8415112 },
  },
  {
    "F.ihfft(v)",
    { { 0.59375, 0.0 }, { 0.147747564, 0.153109217 }, { 0.59375, -0.1875 }, { -0.647747564, 0.465609217 }, {
    0.21875, 0.0 } },
  },
  {
    "F.ihfft(v, {norm = 'forward'})",
    { { 4.75, 0.0 }, { 1.18198052, 1.22487373 }, { 4.75, -1.5 }, { -5.18198052, 3.72487373 }, { 1.75, 0.0 } },
  },
  {
    "F.fft2(w)",
    { { { 6.0, 3.0 }, { 2.75, 6.0 }, { 1.0, -0.5 }, { 8.25, -2.0 } }, { { 0.0155444566, -3.78108891 }, {
    2.62259526, 2.23445554 }, { 3.35048095, -3.29903811 }, { -2.95753175, -5.79663337 } }, { { -3.01554446,
    2.28108891 }, { -3.87259526, 5.26554446 }, { 4.64951905, -0.700961894 }, { -0.792468245, 3.29663337 } } },
  },
  {
    "F.ifft2(w, {norm = 'ortho'})",
    { { { 1.73205081, 0.866025404 }, { 2.38156986, -0.577350269 }, { 0.288675135, -0.144337567 }, { 0.79385662,
    1.73205081 } }, { { -0.870512702, 0.658493649 }, { -0.228765877, 0.951656082 }, { 1.34220054, -0.202350269
    }, { -1.11792196, 1.52003175 } }, { { 0.00448729811, -1.09150635 }, { -0.853765877, -1.67334392 }, {
    0.967200538, -0.952350269 }, { 0.757078041, 0.645031755 } } },
  },
  {
    "F.rfft2(x)",
    { { { 6.0, 0.0 }, { 5.5, 4.0 }, { 1.0, 0.0 } }, { { -1.5, -3.03108891 }, { 0.915063509, -0.531088913 }, {
    4.0, -1.29903811 } }, { { -1.5, 3.03108891 }, { -3.41506351, 5.53108891 }, { 4.0, 1.29903811 } } },
  },
  {
    "F.irfft2(w)",
    { { 0.236111111, 0.167530248, 0.539805908, 0.0416666667, 0.515749647, -0.000863580923 }, { -0.21384881,
    -0.0139556871, -0.240495814, 0.479598457, 0.0907095682, -0.354598457 }, { -0.105595634, -0.270401543,
    0.00651265398, 0.395401543, 0.42105137, -0.194377646 } },
  },
  {
    "F.irfft2(w, {3, 5})",
    { { 0.0666666667, 0.469760264, 0.331332291, 0.348066576, 0.284174203 }, { -0.161682698, -0.179713756,
    0.054744579, 0.493589723, -0.459528591 }, { -0.204983968, -0.259055052, 0.183738992, 0.606561827,
    -0.0736710557 } },
  },
  {
    "F.fftn(x)",
    { { { 6.0, 0.0 }, { 5.5, 4.0 }, { 1.0, 0.0 }, { 5.5, -4.0 } }, { { -1.5, -3.03108891 }, { 0.915063509,
    -0.531088913 }, { 4.0, -1.29903811 }, { -3.41506351, -5.53108891 } }, { { -1.5, 3.03108891 }, { -3.41506351,
    5.53108891 }, { 4.0, 1.29903811 }, { 0.915063509, 0.531088913 } } },
  },
  {
    "F.fftn(w, {2, 5})",
    { { { 5.25, 2.625 }, { -0.137915269, 4.03194467 }, { 9.51342753, -0.172921 }, { 3.86321693, 4.42722623 }, {
    4.01127082, -3.4112499 } }, { { -3.25, -1.625 }, { -2.10692382, 1.91908364 }, { 1.27228187, 2.0139885 }, {
    -0.322688398, -5.38632772 }, { -3.09266965, 0.578255579 } } },
  },
  {
    "F.fftn(w, {dim = {1}})",
    { { { 4.5, 1.625 }, { -0.75, -0.5 }, { -1.0, -0.375 }, { 3.25, 2.25 } }, { { 0.757772228, -2.66057621 }, {
    -2.84150635, 1.27451905 }, { 0.925240474, -0.879487298 }, { 1.17403811, -1.51554446 } }, { { -0.757772228,
    2.53557621 }, { -2.40849365, -0.0245190528 }, { 1.57475953, -1.7455127 }, { -1.42403811, 1.51554446 } } },
  },
  {
    "F.ifftn(w)",
    { { { 0.5, 0.25 }, { 0.6875, -0.166666667 }, { 0.0833333333, -0.0416666667 }, { 0.229166667, 0.5 } }, { {
    -0.251295371, 0.190090743 }, { -0.0660390204, 0.274719447 }, { 0.387459921, -0.0584134912 }, { -0.322716272,
    0.438795371 } }, { { 0.00129537139, -0.315090743 }, { -0.24646098, -0.483052781 }, { 0.279206746,
    -0.274919842 }, { 0.218549605, 0.186204629 } } },
  },
  {
    "F.rfftn(x, {dim = {2, 1}})",
    { { { 6.0, 0.0 }, { 5.5, 4.0 }, { 1.0, 0.0 }, { 5.5, -4.0 } }, { { -1.5, -3.03108891 }, { 0.915063509,
    -0.531088913 }, { 4.0, -1.29903811 }, { -3.41506351, -5.53108891 } } },
  },
  {
    "F.irfftn(w, {s = {3, 6}})",
    { { 0.236111111, 0.167530248, 0.539805908, 0.0416666667, 0.515749647, -0.000863580923 }, { -0.21384881,
    -0.0139556871, -0.240495814, 0.479598457, 0.0907095682, -0.354598457 }, { -0.105595634, -0.270401543,
    0.00651265398, 0.395401543, 0.42105137, -0.194377646 } },
  },
  {
    "F.fft2(w, {s = {-1, 3}})",
    { { { 2.75, 0.75 }, { 5.26674682, 1.84599365 }, { 5.48325318, 2.27900635 } }, { { -1.15849365, -2.26554446
    }, { 3.58132939, 0.404006351 }, { -0.149519053, -6.12019053 } }, { { -1.59150635, 0.765544457 }, {
    1.14951905, 6.87019053 }, { -1.83132939, -0.0290063509 } } },
  },
  { "F.fftfreq(5)", { 0.0, 0.2, 0.4, -0.4, -0.2 } },
  { "F.fftfreq(6, 0.5)", { 0.0, 0.333333333, 0.666666667, -1.0, -0.666666667, -0.333333333 } },
  { "F.rfftfreq(6)", { 0.0, 0.166666667, 0.333333333, 0.5 } },
  { "F.rfftfreq(5, 2)", { 0.0, 0.1, 0.2 } },
  { "F.fftshift(pt.range(1, 5))", { 4, 5, 1, 2, 3 } },
  { "F.ifftshift(pt.range(1, 5))", { 3, 4, 5, 1, 2 } },
  { "F.fftshift(x)", { { -0.5, 0.25, 0.0, 1.0 }, { 0.5, 1.0, 1.5, -2.0 }, { -1.0, 2.0, 3.0, 0.25 } } },
  { "F.fftshift(x, 1)", { { 0.0, 1.0, -0.5, 0.25 }, { 1.5, -2.0, 0.5, 1.0 }, { 3.0, 0.25, -1.0, 2.0 } } },
  {
    "s:stft(8):select(2, 3)",
    { { 0.903053321, 0.0 }, { -0.976496357, -3.76910896 }, { 0.181114193, -0.372677706 }, { 0.226520057,
    -0.135057951 }, { 0.234670894, 0.0 } },
  },
  {
    "S:stft(8, 3, {window = hann}):select(3, 2)",
    { { { 2.12935151, 0.0 }, { -1.81041875, -0.942059105 }, { 0.716492137, 0.419280099 }, { 0.0240000194,
    0.0129418104 }, { 0.0105016835, 0.0 } }, { { 1.59644483, 0.0 }, { -0.856284747, -1.97575946 }, {
    0.0557849085, 0.853289581 }, { 0.00186860234, 0.0306837608 }, { 0.000817643936, 0.0 } } },
  },
  {
    "s:stft(8, 4, 6, hann:narrow(1, 1, 6), false):select(2, 1)",
    { { -0.0795846857, 0.0 }, { -0.423183747, -1.36845102 }, { 0.865550955, 0.747387911 }, { -0.216961067,
    0.311484896 }, { -0.371227597, 0.0 } },
  },
  {
    "s:stft{n_fft = 8, window = hann, normalized = true, onesided = false}:select(2, 2)",
    { { 0.907046418, 0.0 }, { -0.672743244, 0.082323044 }, { 0.289190995, -0.121568911 }, { -0.0382170785,
    -0.0502552879 }, { -0.0635077638, 0.0 }, { -0.0382170785, 0.0502552879 }, { 0.289190995, 0.121568911 }, {
    -0.672743244, -0.082323044 } },
  },
  {
    "s:stft(8, {pad_mode = 'constant', window = hann}):select(2, 1)",
    { { 1.19194207, 0.0 }, { -0.302360445, 0.990075027 }, { -0.502724865, -0.427602242 }, { 0.302360445,
    -0.0153747032 }, { -0.186492343, 0.0 } },
  },
  {
    "pt.istft(S:stft(8, 3, {window = hann}) * 2, 8, 3, {window = hann}):narrow(2, 1, 5)",
    { { 0.0, 1.30843537, 2.01089946, 1.78641873, 0.7499763 }, { 2.4346558, 2.74928955, 2.12832934, 0.854416145,
    -0.48271506 } },
  },
  {
    "pt.istft(s:stft(8, {window = hann}), 8, {window = hann, length = 38}):narrow(1, 35, 4)",
    { -0.631798446, -0.24135753, 0.427208073, 1.06416467 },
  },
  { "grad(F.fft, z)", { { 5.0, 10.0 }, { -20.0, 35.0 }, { -25.0, -10.0 }, { 25.0, -10.0 }, { 20.0, 35.0 } } },
  { "grad(F.fft, v)", { 8.0, 16.0, -20.0, 40.0, 0.0, -40.0, 20.0, -16.0 } },
  { "grad(F.rfft, v)", { 5.0, 8.0, -9.0, 20.0, 1.0, -20.0, 11.0, -8.0 } },
  { "grad(F.irfft, z)", { { 0.25, 0.0 }, { -1.0, 0.75 }, { 0.25, -0.5 }, { 1.5, 0.0 }, { 0.0, 0.0 } } },
  {
    "grad(function(a) return F.irfft(a, 7) end, z)",
    { { 0.285714286, 0.0 }, { -1.14285714, 0.857142857 }, { 0.285714286, -0.571428571 }, { 1.71428571, 0.0 }, {
    0.0, 0.0 } },
  },
  { "grad(F.rfft2, x)", { { 9.0, -36.0, 3.0, 36.0 }, { 51.0, 6.0, 9.0, 18.0 }, { -51.0, -18.0, -9.0, -6.0 } } },
  {
    "grad(function(a) return F.hfft(a, 6) end, z)",
    { { 12.0, 0.0 }, { -48.0, 36.0 }, { 12.0, -24.0 }, { 36.0, 0.0 }, { 0.0, 0.0 } },
  },
  {
    "grad(function(a) return a:stft(8, 3, {window = hann}) end, s:narrow(1, 1, 12))",
    { 1.13924439, 2.41000183, 4.67459937, 1.13492413, -1.3220898, 2.1550686, 0.591632855, -7.26119061,
    -11.0940747, -4.73808213, 12.0106879, 10.2992782 },
  },
}

local refused = {
  { "F.fft(z, 0)", "fft.fft", "n is 0" }, { "F.rfft(z)", "fft.rfft", "complex128", "fft.fft" },
  { "F.fft(z, {norm = 'full'})", "norm 'full'" }, { "F.fft(z:sum())", "single number" },
  { "F.fft(z, nil, 3)", "dim 3" }, { "F.irfft(z, 0)", "n is 0" }, { "F.fftn(w, {1, 2, 3})", "3 sizes" },
  { "F.fft2(w, {2})", "1 sizes for 2 dims" }, { "F.fftn(w, {dim = {1, -2}})", "twice" },
  { "F.fft(pt.zeros(2, 0))", "n is 0" }, { "F.fftfreq(0)", "n is 0" },
  { "s:stft(80)", "reflect" }, { "s:stft(80, {center = false})", "fewer than n_fft" },
  { "s:stft(8, {window = hann, win_length = 4})", "win_length = 4" }, { "s:stft(8, 0)", "hop_length 0" },
  { "pt.istft(s:stft(8), 10)", "6" }, { "pt.istft(x, 6)", "complex" },
  { "pt.istft(s:stft(8, {window = hann, center = false}), 8, {window = hann, center = false})", "cover" },
}

-- The sum that a transform is, for a complex vector.
local function slow(a, inverse)
  local n = a:size(1)
  local k = pt.arange(n):double()
  local turns = (k:unsqueeze(2) * k:unsqueeze(1)).remainder(k:unsqueeze(2) * k:unsqueeze(1), n) / n
  local angles = turns * (inverse and 2 or -2) * math.pi
  return pt.polar(pt.ones_like(angles), angles):matmul(a)
end

local function same(a, b, bound)
  local text = compare.difference(a, b, bound or 1e-11, bound or 1e-11)
  if text then error(text, 2) end
end

local function noise(...)
  pt.manual_seed(5)
  return pt.randn({ ... }, { dtype = pt.complex128 })
end

describe("fft", function()
  for _, case in ipairs(values) do
    it(case[1], function() cases.check(case, names) end)
  end
  for _, case in ipairs(refused) do
    it("refuses " .. case[1], function() cases.refuse(case, names) end)
  end

  it("is the sum that it stands for, of any length", function()
    for _, n in ipairs { 1, 2, 3, 4, 5, 6, 7, 8, 11, 13, 16, 17, 26, 30, 37, 49, 64, 77, 97, 120, 143, 169, 251 } do
      local a = noise(n)
      same(F.fft(a), slow(a), 1e-10)
      same(F.ifft(a) * n, slow(a, true), 1e-10)
      local real = a:real()
      same(F.rfft(real), slow(real:to(pt.complex128)):narrow(1, 1, n // 2 + 1), 1e-10)
      same(F.irfft(F.rfft(real), n), real, 1e-10)
      same(F.fft(a:to(pt.complex64)):to(pt.complex128), slow(a), 1e-4 * n)
    end
  end)

  it("comes back from long and prime lengths", function()
    for _, n in ipairs { 65536, 65537, 100000, 99991 } do
      local a = noise(n)
      same(F.ifft(F.fft(a)), a, 1e-10)
      same(F.irfft(F.rfft(a:real()), n), a:real(), 1e-10)
    end
  end)

  it("is the same alone, in a batch and along any dim: lines share vectors, long ones are cut", function()
    for _, n in ipairs { 1, 6, 9, 17, 60, 256, 300, 1001, 257, 8200, 9001 } do
      for _, lines in ipairs(n > 2000 and { 3 } or { 1, 3, 5, 8, 13 }) do
        local a = noise(lines, n)
        local each, halves = {}, {}
        for i = 1, lines do
          each[i] = n < 500 and slow(a[i]) or F.fft(a[i])
          halves[i] = each[i]:narrow(1, 1, n // 2 + 1)
        end
        local expect = pt.stack(each)
        same(F.fft(a), expect, 1e-9)
        same(F.fft(a:t(), nil, 1), expect:t(), 1e-9)
        same(F.ifft(expect), a, 1e-9)
        local spectra = F.rfft(a:real())
        same(2 * spectra, pt.stack(halves) + F.fft(a:conj()):narrow(2, 1, n // 2 + 1), 1e-9)
        same(F.irfft(spectra, n), a:real(), 1e-9)
        same(F.fft(a:to(pt.complex64)):to(pt.complex128), expect, 1e-4 * n)
      end
    end
  end)

  it("works along any dim of any view", function()
    local a = noise(6, 10, 20)
    for dim = 1, 3 do
      same(F.fft(a, nil, dim), F.fft(a:transpose(dim, 3):contiguous()):transpose(dim, 3))
      same(F.rfft(a:real(), nil, dim), F.fft(a:real(), nil, dim):narrow(dim, 1, a:size(dim) // 2 + 1))
    end
    for _, layout in pairs(layouts) do
      local b = layout(names.w)
      same(F.fft2(b), F.fft2(b:clone()))
      same(F.irfft(b), F.irfft(b:clone()))
    end
  end)

  it("is the same for any number of threads and on every CPU level", function()
    local n, level = pt.get_num_threads(), pt.cpu_level()
    local inputs = { noise(40, 33), noise(3, 300), noise(20000), noise(9001) } -- in bundles, cut, prime
    finally(function()
      pt.set_num_threads(n)
      pt.set_cpu_level(level)
    end)
    local function all()
      local out = {}
      for i, a in ipairs(inputs) do
        out[2 * i - 1] = F.fft(a):view_as_real()
        out[2 * i] = F.rfft(a:real():float()):view_as_real()
      end
      return out
    end
    pt.set_num_threads(1)
    pt.set_cpu_level "base"
    local expect = all()
    pt.set_num_threads(4)
    for _, name in ipairs { "base", "avx2", "avx512", "avx512_bf16", "amx" } do
      if pcall(pt.set_cpu_level, name) then
        for i, y in ipairs(all()) do assert.is_true(y:equal(expect[i]), name .. " " .. i) end
      end
    end
  end)

  it("keeps precision, and takes what is not floating", function()
    assert.equal(pt.complex64, F.fft(pt.ones(3)).dtype)
    assert.equal(pt.complex128, F.rfft(x).dtype)
    assert.equal(pt.float32, F.irfft(F.rfft(pt.ones(3))).dtype)
    assert.equal(pt.complex64, F.fft(pt.range(1, 3)).dtype)
    assert.same({ 0, 4, 3 }, { table.unpack(F.fft(pt.zeros(0, 4, 3), nil, 2).shape) })
  end)

  it("has gradients that can be differentiated", function()
    local functions = {
      function(a) return F.fft(a, 7) end, function(a) return F.ifft2(a, { norm = "ortho" }) end,
      function(a) return F.irfft(a, 6) end, function(a) return F.irfft(a, 5) end,
      function(a) return F.rfft(a:real() * a:imag(), 5) end,
      function(a) return F.rfftn(a:abs()) end, function(a) return F.hfft(a) end,
    }
    for _, fn in ipairs(functions) do
      local function list(xs) return { fn(xs[1]) } end
      assert.is_true(gradcheck.first(list, { names.w }))
      assert.is_true(gradcheck.second(list, { names.w }))
    end
  end)

  it("stft and istft come back to where they were, with gradients", function()
    for _, options in ipairs {
      { window = names.hann }, { window = names.hann, normalized = true }, { hop_length = 3 },
      { window = names.hann, hop_length = 4, onesided = false },
    } do
      local y = pt.stft(names.S, 8, options)
      same(pt.istft(y, 8, options), names.S:narrow(2, 1, pt.istft(y, 8, options):size(2)), 1e-10)
    end
    local function round(xs)
      local y = xs[1]:stft(4, { hop_length = 2 })
      return { y:abs():square(), pt.istft(y * y, 4, { hop_length = 2 }) }
    end
    assert.is_true(gradcheck.first(round, { names.v }))
    assert.is_true(gradcheck.second(round, { names.v }))
  end)
end)
