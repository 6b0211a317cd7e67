-- Mistakes that people make, and what they are told: spec/golden/mistakes.txt holds a line of Lua and, below it,
-- the message, as the report of an uncaught error shows it. Every message was read: it names the op or the layer, the
-- argument, the shapes, the line, and what to write. `PT_GOLDEN=write` writes the file anew, to be read again.

local pt = require "pt"
local nn, optim, data = pt.nn, pt.optim, pt.data
local report = require "pt.report"

local FILE = "spec/golden/mistakes.txt"

-- What the lines use: x (2, 3), y (4), z (5, 2).
local function names()
  local Net, Tail, Plain, Misnamed = nn.class "Net", nn.class "Tail", nn.class "Plain", nn.class "Misnamed"
  function Net:init() self.layers = nn.ModuleList { nn.Linear(3, 4), nn.Linear(5, 2) } end
  function Net:forward(v)
    v = self.layers[1](v)
    v = self.layers[2](v)
    return v
  end
  function Tail:init() self.fc = nn.Linear(4, 2) end
  function Tail:forward(v) return self.fc(v) end
  function Plain:init() self.ls = { nn.Linear(2, 2) } end
  function Misnamed:__init() self.fc = nn.Linear(2, 2) end
  local model = nn.Linear(3, 2)
  local optimizer = optim.SGD(model:parameters(), { lr = 0.1 })
  return setmetatable({
    pt = pt, nn = nn, F = nn.functional, optim = optim, data = data, Net = Net, Tail = Tail, Plain = Plain,
    Misnamed = Misnamed, x = pt.ones(2, 3), y = pt.ones(4), z = pt.ones(5, 2), w = model:parameters(), model = model,
    layer = nn.ReLU(), optimizer = optimizer, scheduler = optim.lr_scheduler.StepLR(optimizer, 2),
    dataset = data.TensorDataset(pt.ones(3, 2)),
    bar = pt.progress(3, { file = { write = function() end, flush = function() end } }),
  }, { __index = _G })
end

-- The message of a line of Lua, or nil where it raises nothing. Folders and addresses are not part of it.
local function told(code)
  local env = names()
  local text = "local result = " .. code .. " return result"
  local fn = load(text, "=train.lua", "t", env)
  if not fn then text, fn = code, assert(load(code, "=train.lua", "t", env)) end
  report.sources["=train.lua"] = text
  local ok, made = xpcall(fn, report.handler(fn))
  if ok then return nil end
  text = made.message:gsub("%(/?[^() ]*/spec/golden_spec%.lua", "(golden_spec.lua")
  return (text:gsub("spec/golden_spec%.lua", "golden_spec.lua"):gsub("golden_spec%.lua:%d+", "golden_spec.lua:N"))
end

local function read()
  local cases = {}
  for line in io.lines(FILE) do
    local message = line:match "^  (.*)"
    if not message then cases[#cases + 1] = { line }
    elseif cases[#cases][2] then cases[#cases][2] = cases[#cases][2] .. "\n" .. message
    else cases[#cases][2] = message end
  end
  return cases
end

local function write(cases)
  local file <close> = assert(io.open(FILE, "w"))
  for _, case in ipairs(cases) do
    file:write(case[1], "\n  ", (told(case[1]) or "NOTHING"):gsub("\n", "\n  "), "\n")
  end
end

describe("mistakes", function()
  if os.getenv "PT_GOLDEN" == "write" then write(read()) end
  local cases = read()

  it("are at least 150", function() assert.is_true(#cases >= 150) end)

  for _, case in ipairs(cases) do
    it("are told: " .. case[1], function()
      assert.equal(case[2], told(case[1]) or "NOTHING")
      assert.is_nil(case[2]:find("[pt]", 1, true))
    end)
  end
end)
