--- nn.functional: layers and losses as functions, under PyTorch's names. Each file owns one topic; ops of the table
--- stand here under their own names.

local pt = require "pt"

local F = {}

for _, name in ipairs { "linear", "mse_loss", "cross_entropy", "nll_loss", "scaled_dot_product_attention" } do
  F[name] = pt[name]
end

for part in ("activation conv pad pool image norm dropout embedding loss ctc"):gmatch "%S+" do
  for name, fn in pairs(require("pt.nn.functional." .. part)) do F[name] = fn end
end

return F
