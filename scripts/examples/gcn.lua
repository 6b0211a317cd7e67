--- A graph convolutional network (Kipf and Welling, 2016) finds the two clubs that Zachary's karate club split into,
--- from one known member of each.
--
--   ptlua scripts/examples/gcn.lua [--smoke]
--
-- Expected: 32 to 34 of the 34 members in the right club.

local pt = require "pt"
local nn, optim = pt.nn, pt.optim

local smoke = arg[1] == "--smoke"
pt.manual_seed(1)

-- Friendships between the 34 members (W. Zachary, 1977): those of member i with members of lower number.
local friends = {
  {}, { 1 }, { 1, 2 }, { 1, 2, 3 }, { 1 }, { 1 }, { 1, 5, 6 }, { 1, 2, 3, 4 }, { 1, 3 }, { 3 }, { 1, 5, 6 }, { 1 },
  { 1, 4 }, { 1, 2, 3, 4 }, {}, {}, { 6, 7 }, { 1, 2 }, {}, { 1, 2 }, {}, { 1, 2 }, {}, {}, {}, { 24, 25 }, {},
  { 3, 24, 25 }, { 3 }, { 24, 27 }, { 2, 9 }, { 1, 25, 26, 29 }, { 3, 9, 15, 16, 19, 21, 23, 24, 30, 31, 32 },
  { 9, 10, 14, 15, 16, 19, 20, 21, 23, 24, 27, 28, 29, 30, 31, 32, 33 },
}
local with_officer = { [9] = true, [10] = true, [15] = true, [16] = true, [19] = true, [21] = true, [23] = true }
for i = 24, 34 do with_officer[i] = true end

local N = #friends
local adjacency, club = pt.eye(N), pt.ones(N, { dtype = pt.int64 })
for i, list in ipairs(friends) do
  for _, j in ipairs(list) do
    adjacency[{ i, j }] = 1
    adjacency[{ j, i }] = 1
  end
  if with_officer[i] then club[i] = 2 end
end
local degree = adjacency:sum(1):rsqrt()
local spread = degree:unsqueeze(2) * adjacency * degree -- D^-1/2 (A + I) D^-1/2

local GCN = nn.class("GCN")

function GCN:init() self.first, self.second = nn.Linear(N, 16, false), nn.Linear(16, 2, false) end

--- features (members, n) -> scores (members, 2): each member's are mixed with those of friends
function GCN:forward(x) return spread:mm(self.second(spread:mm(self.first(x)):relu())) end

local model, features = GCN(), pt.eye(N)
local optimizer = optim.Adam(model:parameters(), { lr = 0.01, weight_decay = 5e-4 })
local known = pt.tensor { 1, 34 } -- the instructor and the officer

local first, last
for step = 1, smoke and 30 or 200 do
  optimizer:zero_grad()
  local loss = nn.functional.cross_entropy(model(features):index_select(1, known), club:index_select(1, known))
  loss:backward()
  optimizer:step()
  last = loss:item()
  first = first or last
  if step % 50 == 0 or smoke and step == 30 then
    local right = model(features):argmax(2):eq(club):sum():item()
    print(("step %3d  loss %.4f  %d of %d members"):format(step, last, right, N))
  end
end
assert(last < first, "the loss did not fall")
