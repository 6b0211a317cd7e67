-- Every example runs in its short form, asserts there that its training goes well, and prints the same on one thread.
local pt = require "pt"

local folder = "scripts/examples/"
local names = {
  "cartpole_dqn", "cartpole_ppo", "char_gpt", "char_gpt_ddp", "char_lstm", "classify", "dcgan", "diffusion_2d", "gcn",
  "generate",
  "linear_regression", "mnist_ddp", "mnist_hogwild", "mnist_lenet", "mnist_mlp", "resnet_cifar", "time_sequence",
  "transformer_translate", "twin", "vae", "word_lm",
}

-- What an example prints.
local function run(path, text)
  local printed = {}
  local env = setmetatable({
    arg = { [0] = path, "--smoke" },
    print = function(...) printed[#printed + 1] = tostring((...)) end,
  }, { __index = _G })
  pt.manual_seed(5)
  assert(load(text, "@" .. path, "t", env))()
  assert.is_true(#printed > 0)
  return table.concat(printed, "\n")
end

local function without_times(text) return (text:gsub("[%d.]+ s%f[%A]", ""):gsub("[%d.]+ a second", "")) end

describe("the example", function()
  local printed = {} -- by name
  local function run_named(name)
    local path = folder .. name .. ".lua"
    local file = io.open(path)
    if not file then return nil end
    local text = file:read "a"
    file:close()
    assert.is_truthy(text:find("\n-- Expected: ", 1, true), "the header tells no expected figure")
    return run(path, text)
  end

  for _, name in ipairs(names) do
    -- Hogwild's workers race on purpose
    it(name .. " runs" .. (name == "mnist_hogwild" and " #tsan" or ""), function()
      printed[name] = run_named(name)
      if not printed[name] then return pending "the examples are not here" end
      assert.equal(pt.float32, pt.get_default_dtype())
    end)

    -- The sanitizers, which take minutes, have seen the same work before.
    if name ~= "mnist_hogwild" then
      it(name .. " prints the same on one thread #asan #tsan", function()
        if not printed[name] then return pending "it did not run" end
        local threads = pt.get_num_threads()
        finally(function() pt.set_num_threads(threads) end)
        pt.set_num_threads(threads == 1 and 3 or 1)
        assert.equal(without_times(printed[name]), without_times(run_named(name)))
      end)
    end
  end
end)
