-- pt.plot and pt.show: what they draw, in every form.
local pt = require "pt"
local Scale = require "pt.plot.scale"

local nan = 0 / 0

local function text(options, plain)
  return pt.plot(options):text { plain = plain ~= false, colours = false, width = 30, height = 8 }
end

describe("axes", function()
  local function ticks(low, high, log, most)
    local words = {}
    for i, tick in ipairs(Scale.new(low, high, log):ticks(most)) do words[i] = tick.text end
    return table.concat(words, " ")
  end
  it("have round values", function()
    assert.equal("0 5 10", ticks(0, 10, false, 3))
    assert.equal("0 0.5 1", ticks(0, 1, false, 3))
    assert.equal("-0.5 0 0.5", ticks(-0.9999, 0.9999, false, 3))
    assert.equal("0.01 1 100", ticks(0.01, 100, true, 3))
    assert.equal("2e5 4e5 6e5", ticks(1e5, 7e5, false, 4))
  end)
  it("have a range where values have none", function()
    assert.equal(0.5, Scale.new(3, 3):at(3))
    assert.equal(0, Scale.new(math.huge, -math.huge):at(0))
    assert.is_nil(Scale.new(1, 10, true):at(0))
  end)
end)

describe("plot draws", function()
  it("lines with a legend", function()
    assert.equal([[
   line
   * up   + down
4 |+++++               ******
  |     ++++++   ******
2 |***********++++++++++++++
  |*                        +
  +--------------------------
  1            2           3]], text { { y = { 1, 2, 5 }, label = "up" }, { y = { 5, 2, 1 }, label = "down" },
      title = "line" })
  end)

  it("bars and histograms", function()
    assert.equal([[
5 |         *******
  |         *******
  |******** *******
  |******** ******* ********
  |******** ******* ********
0 |******** ******* ********
  +--------------------------
      a        b       c]], text { { 3, 5, 2 }, kind = "bar", labels = { "a", "b", "c" } })
    assert.equal([[
  |                *********
2 |        *****************
  |        *****************
  |*************************
  |*************************
0 |*************************
  +--------------------------
  1            2           3]], text { { 1, 2, 2, 3, 3, 3 }, kind = "hist", bins = 3 })
  end)

  it("heat maps", function()
    assert.equal([[
   0 to 3
  |             .............
1 |             .............
  |+++++++++++++#############
2 |+++++++++++++#############
  |+++++++++++++#############
  +--------------------------
        1            2]], text { pt.tensor { { 0, 1 }, { 2, 3 } }, kind = "heat" })
  end)

  it("points on log axes", function()
    assert.equal([[
s
100 |                       *
 10 |           *
    |
  1 |*
    +------------------------
    1          10         100
                n]], text { { x = { 1, 10, 100 }, y = pt.tensor { 1, 10, 100 }, kind = "scatter" }, logx = true,
      logy = true, xlabel = "n", ylabel = "s" })
  end)

  it("nothing where a value is none", function()
    local out = text { { 1, nan, 3, math.huge, 2 } }
    assert.equal(3, select(2, out:gsub("%*", "")))
    assert.matches("|", text { { nan, nan } })
    assert.matches("|", text { {} })
  end)

  it("braille dots where the terminal has them", function()
    assert.equal([[
3 │         ⢀⠤⠒⠉⠉⠑⠒⠤⠤⣀⡀
2 │      ⡠⠔⠊⠁         ⠈⠉⠑⠒⠤⠤⣀
  │  ⢀⠤⠒⠉
1 │⡔⠊⠁
  └──────────────────────────
  1            2            3]], (pt.plot { { 1, 3, 2 } }):text { plain = false, colours = false, width = 30,
      height = 6 })
    local coloured = pt.plot({ { 1, 3, 2 } }):text { plain = false, colours = true, width = 30, height = 6 }
    assert.matches("\27%[38;2;31;119;180m", coloured)
    assert.equal(text({ { 1, 3, 2 } }, false), (pt.plot({ { 1, 3, 2 } }):text { plain = false, colours = true,
      width = 30, height = 8 }:gsub("\27%[[%d;]*m", ""):gsub(" +\n", "\n")))
  end)

  it("many points without delay, their extremes kept", function()
    local list = {}
    for i = 1, 200000 do list[i] = i % 1000 == 0 and 5 or 0 end
    local start = os.clock()
    assert.matches("5 |%*", text { list })
    assert.is_true(os.clock() - start < 2)
  end)

  it("smooths", function()
    local list = {}
    for i = 1, 100 do list[i] = i % 2 end
    local figure = pt.plot { list, smooth = 0.99 }
    assert.is_true(math.abs(figure.series[1].y[100] - 0.5) < 0.02)
  end)

  it("SVG and PNG", function()
    local path = os.tmpname()
    local figure = pt.plot { { y = { 1, 2, 5 }, label = "a<b&c" }, title = "t" }
    figure:svg(path)
    local svg = pt.data.read_text(path)
    assert.matches("^<svg xmlns=", svg)
    assert.matches("<polyline", svg)
    assert.matches("a&lt;b&amp;c", svg)
    assert.falsy(svg:find("nan", 1, true))
    if pcall(figure.png, figure, path) then
      local image = pt.data.read_image(path)
      assert.same({ 3, 400, 640 }, image:size())
      local blue = image:permute(2, 3, 1):reshape(-1, 3):eq(pt.tensor { 31, 119, 180 }):all(2):sum():item()
      assert.is_true(blue > 500, blue)
    end
    os.remove(path)
  end)

  it("not what makes no sense", function()
    for what, options in pairs {
      ["plot: a figure has no 'titel'; did you mean 'title'?"] = { { 1 }, titel = "x" },
      ["plot: a series has no 'lable'; did you mean 'label'?"] = { { y = { 1 }, lable = "x" } },
      ["plot: x has 1 values, y has 2"] = { { x = { 1 }, y = { 1, 2 } } },
      ["plot: kind must be line, scatter, hist, bar or heat, got 'pie'"] = { { 1 }, kind = "pie" },
      ["plot: y[2] must be a number, got a string"] = { { 1, "2" } },
      ["plot: there is nothing to draw"] = {}, ["plot: y must have one dim, got [2, 2]"] = { pt.ones(2, 2) },
      ["plot: row 2 has 1 values, row 1 has 2"] = { { { 1, 2 }, { 3 } }, kind = "heat" },
    } do
      local ok, message = pcall(pt.plot, options)
      assert.falsy(ok, what)
      assert.equal(what, (message:gsub(" %([^()]*:%d+%)$", "")))
    end
  end)
end)

describe("show", function()
  local function shown(x, options)
    local parts = {}
    options.file = { flush = function() end, write = function(_, ...) parts[#parts + 1] = table.concat { ... } end }
    pt.show(x, options)
    return table.concat(parts)
  end

  it("draws letters", function()
    local x = pt.tensor { { 0.0, 1.0 }, { 0.0, 1.0 } }
    assert.equal("  @@\n  @@\n", shown(x, { protocol = "ascii", width = 40, height = 8 }))
  end)

  it("draws half blocks", function()
    local x = pt.tensor({ { { 255, 0 }, { 0, 0 } }, { { 0, 0 }, { 0, 0 } }, { { 0, 0 }, { 0, 255 } } }):to(pt.uint8)
    assert.equal("\27[38;2;255;0;0;48;2;0;0;0m▀\27[38;2;0;0;0;48;2;0;0;255m▀\27[0m\n",
      shown(x, { protocol = "blocks", width = 2, height = 1 }))
  end)

  it("speaks kitty's protocol", function()
    local out = shown(pt.zeros(1, 2, 2), { protocol = "kitty", width = 1, height = 1 })
    assert.matches("^\27_Ga=T,f=24,s=8,v=8,m=0;" .. ("A"):rep(256) .. "\27\\\n$", out)
    out = shown(pt.zeros(3, 64, 64), { protocol = "kitty" })
    assert.matches("m=1;A+\27\\\27_Gm=[01];", out)
    assert.matches("m=0;A+=*\27\\\n$", out)
  end)

  it("speaks sixel", function()
    local out = shown(pt.ones(3, 6, 8), { protocol = "sixel", width = 1, height = 1 })
    assert.matches('^\27P0;1q"1;1;8;6#0;2;0;0;0.*#215;2;100;100;100#215!8~%-\27\\\n$', out)
  end)

  it("puts a batch into rows and stretches other ranges", function()
    local out = shown(pt.tensor { -1.0, 3 }:reshape(2, 1, 1, 1), { protocol = "ascii", width = 40, height = 8 })
    assert.equal("    @@", out:match "[^\n]*")
    assert.matches("^ *\n$", shown(pt.zeros(5, 5) + 7, { protocol = "ascii" }):gsub("\n+", "\n"))
    assert.no_error(function() shown(pt.ones(2, 2) / 0, { protocol = "ascii" }) end)
    assert.no_error(function() shown(pt.rand(4, 500, 3), { protocol = "blocks" }) end)
    assert.no_error(function() shown(pt.ones(2, 2):bool(), { protocol = "ascii" }) end)
  end)

  it("refuses what is no image", function()
    for what, x in pairs {
      ["show: expected (H, W), (C, H, W) or (N, C, H, W), got [3]"] = pt.ones(3),
      ["show: expected 1, 3 or 4 channels in [1, 2, 4, 4]; a channel is x:narrow(2, 1, 1)"] = pt.ones(2, 4, 4),
      ["show: expected a tensor, got a number"] = 5,
      ["show: protocol must be kitty, sixel, blocks or ascii, got 'x'"] = false,
    } do
      local ok, message = pcall(pt.show, x or pt.ones(2, 2), { protocol = not x and "x" or nil })
      assert.falsy(ok)
      assert.equal(what, (message:gsub(" %([^()]*:%d+%)$", "")))
    end
  end)
end)
