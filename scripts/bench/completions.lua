--- What continuous batching brings: completions a second that scripts/examples/serve.lua gives to clients, each of
--- which sends a request, waits for the answer, and sends the next. Needs Debian's lua-socket.
--
--   build/ptlua scripts/bench/completions.lua [SECONDS [FOLDER]]
--
-- FOLDER is a published model; without one a Llama of 29 million random weights, whose tokens are bytes, is measured.
-- One slot is what a server without batching does: one text after the other.

local pt = require "pt"
local socket = require "socket"
local char_of = require("pt.data.tokenizer.bytes").char_of
local data, models = pt.data, pt.models

local SECONDS, FOLDER = tonumber(arg[1]) or 5, arg[2]
local PROMPT, TOKENS = "In the beginning God created the heaven and the earth", 48

local function write_model(folder)
  local config = {
    model_type = "llama", vocab_size = 8192, hidden_size = 512, intermediate_size = 1376, num_hidden_layers = 8,
    num_attention_heads = 8, num_key_value_heads = 4,
  }
  assert(os.execute("mkdir -p " .. folder))
  data.write_json(config, folder .. "/config.json")
  local model = models.from_config(config)
  pt.save(model:state_dict(), folder .. "/model.safetensors")
  local vocabulary, bytes = {}, { type = "ByteLevel", add_prefix_space = false }
  for byte, name in pairs(char_of) do vocabulary[name] = byte:byte() end
  data.write_json({
    model = { type = "BPE", vocab = vocabulary, merges = {} }, pre_tokenizer = bytes, decoder = bytes,
  }, folder .. "/tokenizer.json")
end

local function start(options)
  local program = io.popen("readlink /proc/$PPID/exe"):read "l"
  local pipe = assert(io.popen(("sh -c 'echo $$; exec %s scripts/examples/serve.lua --port 0 %s %s'"):format(program,
    options, FOLDER)))
  local pid = pipe:read "l"
  return { pid = pid, port = tonumber(pipe:read("l"):match "127%.0%.0%.1:(%d+)/"), pipe = pipe }
end

-- One client: a coroutine that yields when it waits for its answer.
local function client(port, number, until_, times)
  local tcp = assert(socket.connect("127.0.0.1", port))
  return tcp, coroutine.wrap(function()
    local body = data.to_json {
      prompt = PROMPT:sub(1, 20 + number % 30), max_tokens = TOKENS, seed = number,
    }
    local request = ("POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"):format(#body, body)
    while pt.clock() < until_ do
      local began = pt.clock()
      tcp:send(request)
      coroutine.yield(true)
      local length
      for line in function() return tcp:receive "*l" end do
        if line == "" then break end
        length = tonumber(line:lower():match "^content%-length: (%d+)") or length
      end
      local answer = data.parse_json((assert(tcp:receive(length))))
      times[#times + 1] = { seconds = pt.clock() - began, tokens = answer.usage.completion_tokens }
    end
    tcp:close()
    return false
  end)
end

-- Answers in `seconds` of n clients.
local function load_with(port, n, seconds)
  local times, sockets, turns = {}, {}, {}
  local start_time = pt.clock()
  for i = 1, n do
    local tcp, turn = client(port, i, start_time + seconds, times)
    if turn() then
      sockets[#sockets + 1] = tcp
      turns[tcp] = turn
    end
  end
  while #sockets > 0 do
    for _, tcp in ipairs(socket.select(sockets, nil, 60)) do
      if not turns[tcp]() then
        for i, other in ipairs(sockets) do
          if other == tcp then table.remove(sockets, i) break end
        end
      end
    end
  end
  return times, pt.clock() - start_time
end

local function report(options, n)
  local server = start(options)
  load_with(server.port, n, 0.3) -- warms caches
  local times, seconds = load_with(server.port, n, SECONDS)
  os.execute("kill -INT " .. server.pid)
  server.pipe:read "a" -- its last words
  server.pipe:close()
  local tokens, waits = 0, {}
  for i, answer in ipairs(times) do tokens, waits[i] = tokens + answer.tokens, answer.seconds end
  table.sort(waits)
  local line = "%-24s %2d clients  %7.1f requests/s  %6.0f tokens/s  an answer in %4.0f ms, at 99 %% %4.0f ms"
  print(line:format(options, n, #times / seconds, tokens / seconds, waits[(#waits + 1) // 2] * 1e3,
    waits[math.ceil(#waits * 0.99)] * 1e3))
  io.stdout:flush()
end

local made = not FOLDER
if made then
  FOLDER = os.tmpname()
  os.remove(FOLDER)
  write_model(FOLDER)
end
for _, n in ipairs { 1, 4, 16 } do report("--slots 16", n) end
report("--slots 1", 16)
report("--slots 8 --workers 2", 16)
if made then os.execute("rm -r " .. FOLDER) end
