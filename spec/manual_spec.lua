-- The code blocks of README.md and of the manual (docs/) run as a reader would run them: the Lua of a page as one
-- script in a folder of its own, which prints what `-->` says; each C program on its own. A block whose first line says
-- more than the language, as "(needs a GPU ...)", is not run.

local ptlua = io.popen("readlink /proc/$PPID/exe"):read "l"
local build = ptlua:match "^(.*)/" or ""
local root = io.popen("pwd"):read "l"
local has_compiler = os.execute "command -v cc >/dev/null 2>&1"

local text_file = require "spec.support.text_file"
local read, write = text_file.read, text_file.write

local function blocks(text, language)
  local list = {}
  for code in text:gmatch("```" .. language .. "\n(.-)\n```") do list[#list + 1] = code end
  return list
end

-- What pages use and leave to the reader.
local before = {
  ["README.md"] = [[
    local pt = require "pt"
    local criterion = pt.nn.MSELoss()
    local set = pt.data.TensorDataset(pt.randn(64, 1), pt.randn(64, 1))
    local loader = pt.data.DataLoader(set, { batch_size = 32 })
    local scheduler = { step = function() end, state_dict = function() return {} end, load_state_dict = function() end }
  ]],
  ["docs/distributed.md"] = [[
    local pt = require "pt"
    local dataset = pt.data.TensorDataset(pt.randn(64, 4), pt.randn(64, 1))
    local function Net() return pt.nn.Linear(4, 1) end
    local criterion = pt.nn.MSELoss()
  ]],
}

-- The texts behind `-->`, one behind the other.
local function promised(code)
  local lines = {}
  for line in code:gmatch "%-%-> ?([^\n]*)" do lines[#lines + 1] = line end
  return table.concat(lines, "\n")
end

local pages = { "README.md" }
for path in io.popen("ls docs/*.md"):lines() do pages[#pages + 1] = path end

describe("the manual", function()
  local dir = os.tmpname()
  os.remove(dir)
  setup(function() assert(os.execute("mkdir " .. dir)) end)
  teardown(function() os.execute("rm -rf " .. dir) end)

  for _, page in ipairs(pages) do
    local lua, c = blocks(read(page), "lua"), blocks(read(page), "c")

    it("runs the Lua of " .. page, function()
      if #lua == 0 then return end
      local code, own = table.concat(lua, "\n"), dir .. "/" .. page:gsub("/", "-")
      assert(os.execute("mkdir " .. own))
      write(own .. "/page.lua", (before[page] or ""):gsub("\n", " ") .. "\n" .. code)
      local run = io.popen(("cd %s && %s page.lua 2>err"):format(own, ptlua))
      local printed = run:read "a"
      local ok = run:close()
      assert(ok, page .. ": " .. read(own .. "/err"))
      local want = promised(code)
      if want ~= "" then assert.equal(want .. "\n", printed, page) end
    end)

    for i, program in ipairs(c) do
      it(("builds and runs C program %d of %s #plain"):format(i, page), function()
        if not has_compiler or not io.open(build .. "/libptlua.a") then return pending "no C compiler or library" end
        write(dir .. "/host.c", program)
        local libraries = "-llua5.4 $(pkg-config --libs zlib 2>/dev/null) -lpthread -ldl -lm"
        local cc = ("cc -std=c11 -Wall -Wextra -Werror -I%s/engine -I%s/build/gen"):format(root, root)
        local command = ("cd %s && %s host.c %s/libptlua.a %s -o host && ./host >out"):format(dir, cc, build, libraries)
        assert(os.execute(command), command)
      end)
    end
  end

  it("names only what is there", function()
    local pt = require "pt"
    local function has(name)
      local at = pt
      for word in name:gmatch "[%w_]+" do
        local ok, value = pcall(function() return at[word] end)
        at = ok and value or nil
        if at == nil then return false end
      end
      return true
    end
    for _, page in ipairs(pages) do
      for code in read(page):gmatch "`([^`\n]+)`" do
        for name in code:gmatch "^pt%.([%a_][%w_.]*)" do
          local is_file = name == "so" or name == "d.lua"
          assert(is_file or has(name), ("%s: pt.%s"):format(page, name))
        end
        local chapter = code:match '^pt%.help "(%l[%w-]*)"$'
        local is_page = chapter and io.open("docs/" .. chapter .. ".md")
        if chapter and not is_page then assert(has(chapter) or pt.Tensor[chapter], page .. ": " .. code) end
      end
    end
  end)
end)
