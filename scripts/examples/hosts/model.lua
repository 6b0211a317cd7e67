--- The model of server.c, sqlite_ext.c and lighttpd.lua: predict(x), x (N, 64) -> (N, 10) probabilities.
-- Weights are drawn here; a trained model would load them: net:load_state_dict(pt.load "weights.safetensors").

local pt = require "pt"
local nn = pt.nn

pt.manual_seed(1)
local net = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10)):eval()

function predict(x) -- luacheck: globals predict
  return pt.no_grad(function() return net(x):softmax(2) end)
end
