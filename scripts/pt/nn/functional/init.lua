--- nn.functional: layers and losses as functions, under PyTorch's names. Each file owns one topic; ops of the table
--- stand here under their own names.

local lazy = require "pt.lazy"
local pt = require "pt"

local F, parts = {}, {}

for _, name in ipairs { "linear", "mse_loss", "cross_entropy", "nll_loss", "scaled_dot_product_attention" } do
  F[name] = pt[name]
end

for part in ("activation dropout embedding conv pad pool image norm loss ctc products"):gmatch "%S+" do
  parts[#parts + 1] = "pt.nn.functional." .. part
end

return lazy(F, parts, {}, nil, "pt.nn.functional")
