-- The examples of the reference page print what the page says; the page names every function.
local pt = require "pt"
local examples = require "spec.support.examples"

local function printed(...)
  local list = {}
  for i = 1, select("#", ...) do list[i] = tostring((select(i, ...))) end
  return table.concat(list, "  ")
end

describe("reference:", function()
  local known = {}
  for _, op in ipairs(pt.ops()) do known[op.name] = true end

  for name, list in pairs(examples) do
    it("example of " .. name, function()
      assert(known[name] or pt.Tensor[name], name .. " is no function")
      for _, example in ipairs(list) do
        local run = assert(load("return " .. example[1], "=example", "t", { pt = pt, table = table }))
        assert.equal(example[2], printed(run()))
      end
    end)
  end

  it("tells about methods and twins in place", function()
    for _, name in ipairs { "size", "item", "tolist", "float", "unfold", "backward", "put_", "transpose_" } do
      assert(known[name], name)
    end
    local lines, say = {}, print
    _G.print = function(text) lines[#lines + 1] = text end
    local ok, err = pcall(function()
      pt.help "mul_"
      pt.help "transpose_"
      pt.help "size"
    end)
    _G.print = say
    assert(ok, err)
    assert.matches("^pt%.mul%(a, b%).*in place as x:mul_%(%.%.%.%)", lines[1])
    assert.matches("^x:transpose_%(", lines[2])
    assert.matches("^x:size%(dim%)\n  the size of a dim", lines[3])
  end)

  -- What pt.help prints.
  local function help(what)
    local lines, say = {}, print
    _G.print = function(text) lines[#lines + 1] = text end
    local ok, err = pcall(pt.help, what)
    _G.print = say
    assert(ok, err)
    return table.concat(lines, "\n")
  end

  it("help knows every function, method and twin by its name, and functions by themselves", function()
    local spaces = { [""] = pt, ["linalg."] = pt.linalg, ["fft."] = pt.fft, ["special."] = pt.special }
    for prefix, space in pairs(spaces) do
      for name, fn in pairs(space) do
        if type(fn) == "function" then
          assert.falsy(help(prefix .. name):find "^no function", prefix .. name)
          assert.falsy(help(fn):find "^no function", "the value of " .. prefix .. name)
        end
      end
    end
    for name, fn in pairs(pt.Tensor) do
      if type(fn) == "function" then assert.falsy(help(name):find "^no function", name) end
    end
    assert.matches("^pt%.linalg%.inv%(", help "linalg.inv")
    assert.matches("^pt%.linalg%.inv%(", help "pt.linalg.inv")
    assert.matches("^pt%.erf%(", help(pt.special.erf))
    assert.matches("^pt%.special%.erf%(x%)\n  another name of pt%.erf: ", help "special.erf")
    assert.matches("^no function 'linalg.invv'; did you mean 'linalg.inv'", help "linalg.invv")
    assert.error_matches(function() return pt.ones(1):transpos() end, "did you mean 'transpose'")
  end)

  it("is written", function()
    local path = os.tmpname()
    local run = assert(loadfile "scripts/tools/docs.lua")
    local was, say = arg, print
    _G.arg, _G.print = { path }, function() end
    local ok, err = pcall(run)
    _G.arg, _G.print = was, say
    assert(ok, err)
    local file = assert(io.open(path))
    local text = file:read "a"
    file:close()
    os.remove(path)
    for name in pairs(known) do assert(text:find("\n## " .. name .. "\n", 1, true), name) end
    assert.matches("pt%.sum%(x, %[dim%], keepdim = false, %[dtype%]%)", text)
  end)
end)
