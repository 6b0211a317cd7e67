-- Help: everything public has it, with an example that prints what the help says; the files that `make docs` writes.
-- Small tensors on one thread: the thread sanitizer (#tsan) leaves them out.
local pt = require "pt"
local reference = require "pt.reference"
local run = require "spec.support.example"

-- What pt.help prints.
local function help(...)
  local lines, say = {}, print
  _G.print = function(text) lines[#lines + 1] = text end
  local ok, err = pcall(pt.help, ...)
  _G.print = say
  assert(ok, err)
  return table.concat(lines, "\n")
end

describe("reference: #tsan", function()
  local public, entries = reference.public(), reference.entries()

  it("everything public has help and an example; every text is of something public", function()
    local without, known = {}, {}
    for _, item in ipairs(public) do
      local entry, op = entries[item.name] or {}, reference.op(item.name)
      known[item.name] = true
      if not (entry.help or op and op.help) then without[#without + 1] = item.name .. " (no help)" end
      if not entry.code then without[#without + 1] = item.name .. " (no example)" end
    end
    for name in pairs(entries) do
      if not known[name] then without[#without + 1] = name .. " (nothing has this name)" end
    end
    assert.equal("", table.concat(without, ", "), "each wants an entry in scripts/pt/reference/")
    assert(#public > 1100, "the walk over public names has become short: " .. #public)
  end)

  it("says what a function does in one place", function()
    for name, entry in pairs(entries) do
      local op = reference.op(name)
      assert(not (entry.help and op and op.help), name .. ": the op and the text both tell what it does")
    end
  end)

  local groups = {} -- an `it` for each space: its examples
  for _, item in ipairs(public) do
    local group = item.class and item.class:match "^[%w_]+" or item.name:match "^(.*)%.[^.]+$" or "pt"
    groups[group] = groups[group] or {}
    table.insert(groups[group], item.name)
  end
  for group, names in pairs(groups) do
    it("examples of " .. group, function()
      for _, name in ipairs(names) do
        local entry = entries[name]
        if entry and entry.code then
          local ok, text = pcall(run, entry.code)
          assert(ok, name .. ": " .. tostring(text))
          assert.equal(entry.printed or "", text, name)
        end
      end
    end)
  end

  it("internals have no help", function()
    for _, name in ipairs { "_sample_dirichlet", "fft_from_real", "linalg_svd", "nll_loss_forward", "attention" } do
      assert.matches("^no function", help(name))
    end
    local all = help()
    assert.falsy(all:find("fft_from_real", 1, true))
    assert.truthy(all:find("DataLoader", 1, true))
  end)

  it("is found by name, by value, by an object of the class", function()
    local linear = help "nn.Linear"
    assert.matches("^pt%.nn%.Linear%(in_features, out_features, bias = true", linear)
    assert.matches("PyTorch: torch%.nn%.Linear", linear)
    assert.matches("\n    in_features +an integer\n", linear)
    assert.equal(linear, help(pt.nn.Linear))
    assert.equal(linear, help(pt.nn.Linear(3, 2)))
    assert.equal(linear, help "Linear")
    assert.matches("^pt%.optim%.Adam%(params, lr = 1e%-3", help "optim.Adam")
    assert.matches("^pt%.data%.DataLoader%(dataset", help "DataLoader")
    assert.matches("^Module:parameters%(%)", help "Module.parameters")
    assert.matches("^pt%.nn%.functional%.relu%(", help(pt.nn.functional.relu))
    local Net = pt.nn.class "Net"
    assert.matches("^pt%.nn%.Module%(%)", help(Net()))
    assert.matches("^pt%.pool%(", help "pool")
    assert.matches("a dimension from 1, or from %-1 for the last", help "softmax")
    assert.matches("^# What is different from PyTorch", help "pytorch")
    assert.matches("\n  differs: `randperm%(n%)`: 0 to n %- 1; here 1 to n", help "randperm")
    assert.falsy(help("nn.Tanh"):find "differs:")
  end)
end)

describe("make docs:", function()
  local dir = os.tmpname()
  os.remove(dir)
  assert(os.execute("mkdir " .. dir))
  local was, say = arg, print
  _G.arg, _G.print = { dir, [0] = "scripts/tools/docs.lua" }, function() end
  local ok, err = pcall(dofile, "scripts/tools/docs.lua")
  _G.arg, _G.print = was, say

  local function read(name)
    local file <close> = assert(io.open(dir .. "/" .. name))
    return file:read "a"
  end

  it("writes every name in Markdown, in HTML and for LuaLS", function()
    assert(ok, err)
    local markdown, html, definitions = read "reference.md", read "index.html", read "pt.d.lua"
    for _, item in ipairs(reference.public()) do
      assert(markdown:find("\n## " .. item.name .. "\n", 1, true), item.name)
      assert(html:find(('<article id="%s"'):format(item.name), 1, true), item.name)
    end
    assert(markdown:find("pt.sum(x, [dim], keepdim = false, [dtype])", 1, true))
    assert(load(definitions, "=pt.d.lua", "t"))
    local annotated = {} -- the annotations name what the function takes
    for line in definitions:gmatch "[^\n]+" do
      local param, taken = line:match "^%-%-%-@param ([%w_.]+)", line:match "^function [^(]*(%b())"
      if param then annotated[#annotated + 1] = param:gsub("%?$", "") end
      if taken then
        assert.equal("(" .. table.concat(annotated, ", ") .. ")", taken, line)
        annotated = {}
      elseif not line:find "^%-%-" then
        annotated = {}
      end
    end
    assert(definitions:find("---@class pt.nn.Linear: pt.nn.Module", 1, true))
    assert(definitions:find("---@param x pt.Tensor\n", 1, true))
  end)

  it("the page needs no other file, closes what it opens, and its links go somewhere", function()
    local html = read "index.html"
    assert.falsy(html:find "<link" or html:find "<script[^>]+src" or html:find "@import")
    for _, tag in ipairs { "article", "section", "table", "pre", "ul", "li", "code", "p", "nav", "main" } do
      local opened = select(2, html:gsub("<" .. tag .. "[ >]", ""))
      assert.equal(opened, select(2, html:gsub("</" .. tag .. ">", "")), tag)
    end
    for target in html:gmatch 'href="#([^"]+)"' do
      assert(html:find(('id="%s"'):format(target), 1, true), "no place is named " .. target)
    end
    os.execute("rm -r " .. dir)
  end)
end)
