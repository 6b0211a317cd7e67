-- What is loaded on first use may be cut short at any instruction, by Ctrl-C, a limit or memory that runs out: the next
-- use loads it whole.
local program = io.popen("readlink /proc/$PPID/exe"):read "l"

-- Cuts the first uses of an expression after more and more instructions, until one comes to its end; then what it
-- gives is there.
local SCRIPT = [[
local pt = require "pt"
local use = assert(load("local pt = ... return " .. arg[1]))
local cut = 0
for step = 1, 90 do
  local ok, result = pcall(function()
    debug.sethook(function() debug.sethook() error("cut", 0) end, "", math.ceil(1.3 ^ step))
    local used = use(pt)
    debug.sethook()
    return used
  end)
  if ok then
    assert(result ~= nil)
    print("whole", cut)
    return
  end
  assert(result == "cut", result)
  cut = cut + 1
end
]]

describe("after a use that was cut short #plain", function()
  local path
  setup(function()
    path = os.tmpname()
    local file = assert(io.open(path, "w"))
    assert(file:write(SCRIPT))
    file:close()
  end)
  teardown(function() os.remove(path) end)

  for _, use in ipairs {
    "pt.eye(2)", "pt.ones(2, 2):fliplr()", "pt.std(pt.ones(3))", "pt.einsum('ij->ji', pt.ones(2, 3))", "pt.no_grad",
    "pt.linalg.inv(pt.ones(1, 1))", "pt.fft.fft(pt.ones(4))", "pt.special.i0(pt.ones(2))", "pt.func.grad",
    "pt.nn.Linear(2, 3)(pt.ones(1, 2))", "pt.nn.LSTM(2, 3)", "pt.nn.functional.relu(pt.ones(2))",
    "pt.nn.functional.ctc_loss", "pt.nn.utils.clip_grad_norm_", "pt.nn.init.ones_", "pt.optim.Adam({ pt.ones(1) })",
    "pt.optim.lr_scheduler.StepLR", "pt.data.DataLoader", "pt.data.tokenizers.Tokenizer",
    "pt.data.transforms.Compose", "pt.distributions.Normal(0, 1)", "pt.autograd.functional.jacobian",
    "pt.autograd.checkpoint", "pt.models.resnet18", "pt.models.generate", "pt.pool(1)", "pt.progress", "pt.trainer",
    "pt.onnx.load", "pt.save", "pt.testing.assert_close", "pt.utils.checkpoint.checkpoint", "tostring(pt.ones(2))",
    "#pt.ops()", "pt.cuda.is_available() ~= nil", "pt.distributed.is_initialized() ~= nil", "pt.plot", "pt.summary",
    "pt.amp.GradScaler",
  } do
    it(use .. " is there", function()
      local pipe = io.popen(("%s %s '%s' 2>&1"):format(program, path, use:gsub("'", "'\\''")))
      local said = pipe:read "a"
      pipe:close()
      assert.is_truthy(said:find "^whole%	%d+\n$", said)
    end)
  end
end)
