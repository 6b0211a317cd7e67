-- Every differentiable function where its arguments are all zero, all one, equal, infinite, one or none: values and
-- gradients as PyTorch has them (spec/peers/corners.txt, which spec/peers/corners.py records).
local pt = require "pt"

local inf = math.huge
local corners = {
  zeros = { { 0, 0, 0, 0 }, { 2, 2 } }, ones = { { 1, 1, 1, 1 }, { 2, 2 } },
  equal = { { -1.5, -1.5, -1.5, -1.5 }, { 2, 2 } }, mixed = { { 0, 1, 1, 0 }, { 2, 2 } },
  minus = { { -inf, -inf, 0, 1 }, { 2, 2 } }, infinite = { { inf, -inf, inf, 0.5 }, { 2, 2 } },
  one = { { 0.5 }, { 1, 1 } }, empty = { {}, { 0, 2 } },
}

-- Where ptlua differs and is meant to: the call, the corner (or "any"), the reason.
local differs = {}
for line in io.lines "spec/peers/corners_differ.txt" do
  local call, corner = line:match "^(.-)|(%w+)|"
  if call and line:sub(1, 1) ~= "#" then differs[call .. "|" .. corner] = true end
end

local function input(corner)
  local elements, shape = table.unpack(corners[corner])
  if #elements == 0 then return pt.zeros(shape, { dtype = pt.float64 }):requires_grad_() end
  return pt.tensor(elements, { dtype = pt.float64 }):reshape(shape):requires_grad_()
end

local function elements(x)
  local list = x:detach():reshape(-1):tolist()
  return type(list) == "table" and list or { list }
end

local function near(got, want)
  if want ~= want then return got ~= got end
  if got == want then return true end
  return math.abs(got - want) <= 1e-8 * math.max(1e-3, math.abs(want))
end

-- What differs from the numbers in a text, or nil.
local function difference(what, got, text)
  local i = 0
  for word in text:gmatch "%S+" do
    i = i + 1
    local want = ({ nan = 0 / 0, ["-nan"] = 0 / 0, inf = inf, ["-inf"] = -inf })[word] or tonumber(word)
    if got[i] == nil or not near(got[i], want) then
      return ("%s %d is %s, PyTorch has %s"):format(what, i, got[i], word)
    end
  end
  if #got ~= i then return ("%s has %d elements, PyTorch %d"):format(what, #got, i) end
end

local function check(call, corner, fields)
  local x, y = input(corner), input(corner)
  local fn = assert(load("local pt, F, x, y = ... return " .. call, "=call"))
  local ok, out = pcall(fn, pt, pt.nn.functional, x, y)
  if fields[1] == "refused" then return end
  if not ok then return "refused: " .. out end
  local text = difference("value", elements(out), fields[1])
  if text or not fields[2] then return text end
  local used = {}
  for _, name in ipairs { "x", "y" } do
    if call:find("%f[%w]" .. name .. "%f[%W]") then used[#used + 1] = name == "x" and x or y end
  end
  local grads = {}
  if out.requires_grad then
    local n = out:numel()
    local weights = n > 0 and pt.range(1, n, { dtype = out.dtype }):reshape(out.shape) or out:detach()
    grads = pt.autograd.grad({ out }, used, { grad_outputs = { weights }, allow_unused = true })
  end
  for i = 1, #used do
    local g = grads[i] or used[i]:detach():zero()
    text = text or difference("gradient " .. i .. ", element", elements(g), fields[i + 1])
  end
  return text
end

describe("corners:", function()
  local calls, order = {}, {}
  for line in io.lines "spec/peers/corners.txt" do
    local call, corner, rest = line:match "^(.-)|(%w+)|(.*)$"
    if not calls[call] then
      calls[call], order[#order + 1] = {}, call
    end
    local fields = {}
    for field in (rest .. "|"):gmatch "(.-)|" do fields[#fields + 1] = field end
    table.insert(calls[call], { corner, fields })
  end
  for _, call in ipairs(order) do
    it(call, function()
      local found = {}
      for _, case in ipairs(calls[call]) do
        local corner, fields = table.unpack(case)
        local text = check(call, corner, fields)
        if text and not differs[call .. "|" .. corner] then found[#found + 1] = corner .. ": " .. text end
      end
      assert(#found == 0, table.concat(found, "\n"))
    end)
  end
end)
