-- nn.functional: attention and recurrence.
-- Each row names inputs and their shapes, a call, the shape that comes out and three numbers from PyTorch; see
-- spec/support/projections.lua.
local pt = require "pt"
local projections = require "spec.support.projections"

local cases = {
  -- attention
  {
    "q:2,2,3,4 k:2,2,5,4 v:2,2,5,3",
    "F.scaled_dot_product_attention(q, k, v)",
    "2,2,3,3", { 0.5514186521, -0.6601507409, -0.3787224992 },
  },
  {
    "q:2,2,3,4 k:2,2,5,4 v:2,2,5,3",
    "F.scaled_dot_product_attention(q, k, v, {is_causal = true})",
    "2,2,3,3", { 3.835295616, -2.070056641, -0.1640592696 },
  },
  {
    "q:2,2,3,4 k:2,2,5,4 v:2,2,5,3",
    "F.scaled_dot_product_attention(q, k, v, {scale = 0.3})",
    "2,2,3,3", { 0.5759036073, 0.546369743, -0.03592084744 },
  },
  {
    "q:2,2,3,4 k:2,2,5,4 v:2,2,5,3",
    "F.scaled_dot_product_attention(q, k, v, pt.range(1, 15):reshape(3, 5):remainder(4):gt(0))",
    "2,2,3,3", { 2.347031663, -0.459402554, -0.01974700928 },
  },
  {
    "q:2,3,4 k:2,5,4 v:2,5,4 m:3,5",
    "F.scaled_dot_product_attention(q, k, v, m)",
    "2,3,4", { -0.8194830793, -9.435268387, 3.856875311 },
  },
  {
    "q:1,4,2,3 k:1,2,3,3 v:1,2,3,2",
    "F.scaled_dot_product_attention(q, k, v, {enable_gqa = true})",
    "1,4,2,2", { -0.01162711093, -0.5906158456, -0.8976568763 },
  },
  {
    "q:3,4 k:5,4 v:5,2",
    "F.scaled_dot_product_attention(q, k, v)",
    "3,2", { -0.1783252071, 0.185717643, 0.2688158896 },
  },
  -- recurrence
  {
    "x:4,2,3 h:2,2 c:2,2 w:8,3 u:8,2 b:8 d:8",
    'pt.rnn_layer(x, h, c, w, u, b, d, "lstm")',
    "4,2,2", { 0.686952491, 1.320188649, 1.453055996 },
  },
  {
    "x:4,2,3 h:2,2 c:2,2 w:8,3 u:8,2 b:8 d:8",
    '(select(3, pt.rnn_layer(x, h, c, w, u, b, d, "lstm")))',
    "2,2", { 1.160134689, 0.2310140706, -0.4617683914 },
  },
  {
    "x:4,2,3 h:2,2 w:6,3 u:6,2 b:6 d:6",
    'pt.rnn_layer(x, h, nil, w, u, b, d, "gru")',
    "4,2,2", { 0.9128960599, 2.899832038, 6.097874349 },
  },
  {
    "x:4,2,3 h:2,2 w:6,3 u:6,2 b:6 d:6",
    '(select(2, pt.rnn_layer(x, h, nil, w, u, b, d, "gru")))',
    "2,2", { -0.006073094593, -0.08087964387, -1.471723039 },
  },
  {
    "x:4,2,3 h:2,2 w:2,3 u:2,2 b:2 d:2",
    'pt.rnn_layer(x, h, nil, w, u, b, d, "tanh")',
    "4,2,2", { 2.447307097, 0.1840396847, -2.398253085 },
  },
  {
    "x:4,2,3 h:2,2 w:2,3 u:2,2 b:2 d:2",
    'pt.rnn_layer(x, h, nil, w, u, b, d, "relu")',
    "4,2,2", { 8.782512528, 7.50671903, 0.6459509375 },
  },
}

describe("nn.functional", function() projections.check(it, cases, { F = pt.nn.functional }) end)
