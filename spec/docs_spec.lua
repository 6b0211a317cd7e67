-- pt.help knows functions, methods and their twins by name and by value; spec/reference_spec.lua looks at what it says.
-- One thread reads: the thread sanitizer (#tsan) would take a minute for nothing.
local pt = require "pt"
local is_internal = require("pt.reference").is_internal

describe("help: #tsan", function()
  local known = {}
  for _, op in ipairs(pt.ops()) do known[op.name] = true end

  it("tells about methods and twins in place", function()
    for _, name in ipairs { "size", "item", "tolist", "float", "unfold", "backward", "put", "transpose_" } do
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
          local internal = is_internal(prefix .. name)
          assert.equal(internal, help(prefix .. name):find "^no function" ~= nil, prefix .. name)
          assert(internal or not help(fn):find "^no function", "the value of " .. prefix .. name)
        end
      end
    end
    for name, fn in pairs(pt.Tensor) do
      if type(fn) == "function" and not is_internal((name:gsub("_$", ""))) then
        assert.falsy(help(name):find "^no function", name)
      end
    end
    assert.matches("^pt%.linalg%.inv%(", help "linalg.inv")
    assert.matches("^pt%.linalg%.inv%(", help "pt.linalg.inv")
    assert.matches("^pt%.erf%(", help(pt.special.erf))
    assert.matches("^pt%.special%.erf%(x%)\n  another name of pt%.erf: ", help "special.erf")
    assert.matches("^no function 'linalg.invv'; did you mean 'linalg.inv'", help "linalg.invv")
    assert.error_matches(function() return pt.ones(1):transpos() end, "did you mean 'transpose'")
  end)
end)
