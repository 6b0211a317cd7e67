-- scripts/examples/serve.lua: answers are those of models.generate, alone and many at once; what is wrong gets OpenAI's
-- errors; clients that leave make room; Ctrl-C lets it finish.
local pt = require "pt"

local data, models = pt.data, pt.models
local script = "scripts/examples/serve.lua"

if not require "spec.support.http_here" then
  describe("serve.lua", function() it("needs libmicrohttpd and lua-socket", function() pending "not here" end) end)
  return
end

local connect = require "spec.support.http_client"
local language_models = require "spec.support.language_models"
local char_of = require("pt.data.tokenizer.bytes").char_of
local program = io.popen("readlink /proc/$PPID/exe"):read "l"

-- ---- a published model: a Llama with random weights, whose tokens are bytes ----

local function write_model(folder)
  local config = {
    model_type = "llama", vocab_size = 258, hidden_size = 32, intermediate_size = 48, num_hidden_layers = 2,
    num_attention_heads = 4, num_key_value_heads = 2, max_position_embeddings = 100,
  }
  data.write_json(config, folder .. "/config.json")
  pt.manual_seed(3)
  local model = language_models.spread(models.from_config(config):eval())
  pt.save(model:state_dict(), folder .. "/model.safetensors")
  local vocabulary, bytes = {}, { type = "ByteLevel", add_prefix_space = false }
  for byte, name in pairs(char_of) do vocabulary[name] = byte:byte() end
  data.write_json({
    model = { type = "BPE", vocab = vocabulary, merges = {} }, pre_tokenizer = bytes, decoder = bytes,
    added_tokens = {
      { content = "<|im_start|>", id = 256, special = true }, { content = "<|im_end|>", id = 257, special = true },
    },
  }, folder .. "/tokenizer.json")
  return model, data.tokenizers.load(folder .. "/tokenizer.json")
end

local folder = os.tmpname()
os.remove(folder)
assert(os.execute("mkdir " .. folder))
local model, tokenizer = write_model(folder)

-- The text that models.generate makes of ids, and how many tokens that is.
local function alone(ids, options)
  local seed = options.seed
  options.seed, options.generator = nil, seed and pt.Generator():manual_seed(seed)
  local out = models.generate(model, { ids }, options)[1]
  return tokenizer:decode(out), #out
end

-- ---- servers and requests ----

local function start(options)
  local pipe = assert(io.popen(("sh -c 'echo $$; exec %s %s --port 0 %s %s' 2>&1"):format(program, script, options,
    folder)))
  local pid = pipe:read "l"
  local line = pipe:read "l" or ""
  local port = tonumber(line:match "127%.0%.0%.1:(%d+)/")
  assert(port, line .. (port and "" or pipe:read "a"))
  return { pipe = pipe, pid = pid, port = port }
end

-- Ctrl-C; what it said until its end.
local function stop(server)
  os.execute("kill -INT " .. server.pid)
  local said = server.pipe:read "a"
  return said, (server.pipe:close())
end

local function post(client, body, path)
  client:ask("POST", path or "/v1/completions", type(body) == "table" and data.to_json(body) or body)
end

local function answer(client)
  local status, body, headers = client:receive()
  assert(status, "no answer")
  return status, data.parse_json(body), headers
end

-- The events of a stream, the last of which is [DONE].
local function events(client)
  local status, body, headers = client:receive()
  assert.same({ 200, "text/event-stream" }, { status, headers["content-type"] })
  local list = {}
  for text in body:gmatch "data: ([^\n]*)\n\n" do
    list[#list + 1] = text == "[DONE]" and text or data.parse_json(text)
  end
  assert.equal("[DONE]", table.remove(list))
  return list
end

describe("serve.lua #tsan", function()
  local server
  setup(function() server = start "--slots 4 --queue 64 --max-body 20000 --prefill 8 --workers 2" end)
  teardown(function()
    local said, ok = stop(server)
    os.execute("rm -r " .. folder)
    assert(ok, said)
    assert.equal("finishing what was asked\n", said)
  end)

  local function ask(body, path)
    local client <close> = connect(server.port)
    post(client, body, path)
    return answer(client)
  end

  it("tells its health and its model", function()
    local client <close> = connect(server.port)
    client:ask("GET", "/health")
    local status, health = answer(client)
    assert.same({ 200, { status = "ok", waiting = 0 } }, { status, health })
    client:ask("GET", "/v1/models")
    local list
    status, list = answer(client)
    assert.same({ 200, "list", folder:match "[^/]+$" }, { status, list.object, list.data[1].id })
  end)

  local hello = tokenizer:encode "hello":tolist()
  for name, case in pairs {
    ["the likeliest tokens"] = { { temperature = 0 }, { temperature = 0 } },
    ["tokens by a seed"] = { { seed = 4 }, { seed = 4 } },
    ["tokens by options"] = {
      { seed = 5, temperature = 0.7, top_p = 0.9, top_k = 20, min_p = 0.01, repetition_penalty = 1.2 },
      { seed = 5, temperature = 0.7, top_p = 0.9, top_k = 20, min_p = 0.01, repetition_penalty = 1.2 },
    },
    ["tokens with penalties"] = {
      { temperature = 0, presence_penalty = 1, frequency_penalty = 0.5 },
      { temperature = 0, presence_penalty = 1, frequency_penalty = 0.5 },
    },
    ["top_p 0 as the likeliest"] = { { top_p = 0 }, { temperature = 0 } },
  } do
    it("gives " .. name .. ", as generate does", function()
      local body, options = table.unpack(case)
      body.prompt, body.max_tokens, options.max_new_tokens = "hello", 20, 20
      local status, got = ask(body)
      assert.equal(200, status)
      assert.equal(alone(hello, options), got.choices[1].text)
      assert.same({ "text_completion", "length", 0 },
        { got.object, got.choices[1].finish_reason, got.choices[1].index })
      assert.same({ prompt_tokens = 5, completion_tokens = 20, total_tokens = 25 }, got.usage)
      body.stream, body.stream_options = true, { include_usage = true }
      local client <close> = connect(server.port)
      post(client, body)
      local list = events(client)
      assert.same(got.usage, table.remove(list).usage)
      local text = {}
      for i, event in ipairs(list) do
        text[i] = event.choices[1].text
        assert.equal(i == #list and "length" or false, event.choices[1].finish_reason)
      end
      assert.equal(got.choices[1].text, table.concat(text))
    end)
  end

  it("takes lists of prompts, ids from 0, n, echo, and no tokens at all", function()
    local _, got = ask { prompt = { "hello", "a" }, n = 2, seed = 9, max_tokens = 6 }
    assert.equal(4, #got.choices)
    for i, choice in ipairs(got.choices) do
      assert.equal(i - 1, choice.index)
      local ids = i <= 2 and hello or tokenizer:encode "a":tolist()
      assert.equal(alone(ids, { seed = 9 + (i - 1) % 2, max_new_tokens = 6 }), choice.text)
    end
    assert.same({ prompt_tokens = 6, completion_tokens = 24, total_tokens = 30 }, got.usage)
    local ids = {}
    for i, id in ipairs(hello) do ids[i] = id - 1 end
    local want = alone(hello, { temperature = 0, max_new_tokens = 5 })
    assert.equal("hello" .. want, select(2, ask { prompt = ids, temperature = 0, max_tokens = 5, echo = true })
      .choices[1].text)
    assert.equal("hello", select(2, ask { prompt = { ids }, max_tokens = 0, echo = true }).choices[1].text)
    _, got = ask { prompt = "hello", temperature = 0 }
    assert.equal(16, got.usage.completion_tokens) -- OpenAI's default
  end)

  it("ends at stop strings, which are not part of the text", function()
    local whole = alone(hello, { temperature = 0, max_new_tokens = 40 })
    local stop_text = whole:match("[%w%p]+", 10) -- something of the text
    local want = whole:sub(1, whole:find(stop_text, 1, true) - 1)
    local body = { prompt = "hello", temperature = 0, max_tokens = 40, stop = { "no such", stop_text } }
    local _, got = ask(body)
    assert.same({ want, "stop" }, { got.choices[1].text, got.choices[1].finish_reason })
    body.stream, body.stop = true, stop_text
    local client <close> = connect(server.port)
    post(client, body)
    local text, list = {}, events(client)
    for i, event in ipairs(list) do text[i] = event.choices[1].text end
    assert.same({ want, "stop" }, { table.concat(text), list[#list].choices[1].finish_reason })
  end)

  it("chats in the form of the model's template", function()
    local body = { messages = {
      { role = "system", content = "be kind" }, { role = "user", content = { { type = "text", text = "hi" } } },
    }, temperature = 0, max_tokens = 8, logprobs = true, top_logprobs = 2 }
    local ids = tokenizer:encode("<|im_start|>system\nbe kind<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n"
      .. "<|im_start|>assistant\n"):tolist()
    assert.equal(257, ids[1]) -- a token, not its letters
    local status, got = ask(body, "/v1/chat/completions")
    assert.equal(200, status)
    local want, count = alone(ids, { temperature = 0, max_new_tokens = 8, stop = 258 })
    assert.same({ role = "assistant", content = want }, got.choices[1].message)
    assert.same({ #ids, count, "chat.completion" },
      { got.usage.prompt_tokens, got.usage.completion_tokens, got.object })
    local told = got.choices[1].logprobs.content
    assert.equal(count, #told)
    assert.equal(2, #told[1].top_logprobs)
    assert.near(told[1].logprob, told[1].top_logprobs[1].logprob, 1e-6)
    body.stream = true
    local client <close> = connect(server.port)
    post(client, body, "/v1/chat/completions")
    local text, list, logprobs = {}, events(client), 0
    for i, event in ipairs(list) do
      assert.equal("chat.completion.chunk", event.object)
      text[i] = event.choices[1].delta.content
      logprobs = logprobs + #event.choices[1].logprobs.content
    end
    assert.equal("assistant", list[1].choices[1].delta.role)
    assert.same({ want, count }, { table.concat(text), logprobs })
  end)

  it("tells log-probabilities", function()
    local _, got = ask { prompt = "hello", temperature = 0, max_tokens = 4, logprobs = 3 }
    local told = got.choices[1].logprobs
    assert.same({ 4, 4 }, { #told.tokens, #told.token_logprobs })
    local _ <close> = pt.no_grad()
    local first = model(pt.tensor { hello })[1][-1]:log_softmax(-1)
    assert.near(first:max():item(), told.token_logprobs[1], 1e-3)
  end)

  it("answers many clients at once as each alone", function()
    local clients, wants = {}, {}
    for i = 1, 24 do
      local prompt = ("client %d says "):format(i):rep(1 + i % 3)
      clients[i] = connect(server.port)
      post(clients[i], { prompt = prompt, seed = i, max_tokens = 5 + i, stream = i % 4 == 0 })
      wants[i] = alone(tokenizer:encode(prompt):tolist(), { seed = i, max_new_tokens = 5 + i })
    end
    for i, client in ipairs(clients) do
      local text = {}
      if i % 4 == 0 then
        for k, event in ipairs(events(client)) do text[k] = event.choices[1].text end
      else
        text[1] = select(2, answer(client)).choices[1].text
      end
      assert.equal(wants[i], table.concat(text))
      client:close()
    end
  end)

  for _, case in ipairs {
    { "{", 400, "the body must be JSON" }, { "", 400, "the body must be JSON" }, { "[1]", 400, "be a JSON object" },
    { "{}", 400, "prompt must be a string", "prompt" }, { { prompt = {} }, 400, "prompt must", "prompt" },
    { { prompt = "" }, 400, "prompt is empty", "prompt" }, { { prompt = { "a", 1 } }, 400, "prompt must be", "prompt" },
    { { prompt = { 1, 258 } }, 400, "id 2 must be an integer from 0 to 257", "prompt" },
    { { prompt = { -1 } }, 400, "id 1 must be an integer from 0 to 257", "prompt" },
    { '{"prompt": "\\ud800"}', 400, "" },
    { { prompt = "a", max_tokens = -1 }, 400, "max_tokens must be", "max_tokens" },
    { { prompt = "a", max_tokens = 100 }, 400, "sees 100 tokens, but the prompt has 1 and max_tokens is 100",
      "max_tokens" },
    { { prompt = ("a"):rep(200) }, 400, "sees 100 tokens", "max_tokens" },
    { { prompt = "a", max_tokens = 1.5 }, 400, "max_tokens must be an integer", "max_tokens" },
    { { prompt = "a", temperature = 3 }, 400, "temperature must be a number from 0 to 2", "temperature" },
    { { prompt = "a", temperature = "hot" }, 400, "temperature must be a number", "temperature" },
    { { prompt = "a", top_p = 1.5 }, 400, "top_p", "top_p" }, { { prompt = "a", n = 0 }, 400, "n must be", "n" },
    { { prompt = "a", n = 128, max_tokens = 0 }, 200 }, { { prompt = { "a", "b" }, n = 100 }, 400, "128 texts", "n" },
    { { prompt = "a", seed = "x" }, 400, "seed must be an integer", "seed" },
    { { prompt = "a", stop = 5 }, 400, "stop must be", "stop" },
    { { prompt = "a", stop = { "" } }, 400, "stop", "stop" },
    { { prompt = "a", logprobs = 30 }, 400, "logprobs must be", "logprobs" },
    { { prompt = "a", logit_bias = { ["5"] = 1 } }, 400, "logit_bias is not supported", "logit_bias" },
    { { prompt = "a", echo = true, logprobs = 1 }, 400, "echo", "echo" },
    { { messages = {} }, 400, "messages must be a list", "messages", "/v1/chat/completions" },
    { { messages = { "hi" } }, 400, "messages: 1 must be", "messages", "/v1/chat/completions" },
    { { messages = { { role = "user" } } }, 400, "content must be a string", "messages", "/v1/chat/completions" },
    { { messages = { { role = "user", content = { { type = "image_url" } } } } }, 400, "parts must be of the type text",
      "messages", "/v1/chat/completions" },
    { ("x"):rep(20001), 413, "more than 20000 bytes" }, { ("["):rep(20000), 400, "the body must be JSON" },
    { "{}", 404, "no /v1/edits here", nil, "/v1/edits" }, { "{}", 405, "/health takes GET", nil, "/health" },
  } do
    local body, status, message, param, path = table.unpack(case, 1, 5)
    local text = type(body) == "table" and data.to_json(body) or body
    it(("answers %s with %d"):format(text:sub(1, 70), status), function()
      local got_status, got, headers = ask(text, path)
      assert.equal(status, got_status)
      assert.equal("application/json", headers["content-type"])
      if status == 200 then return end
      assert.is_truthy(got.error.message:find(message, 1, true), got.error.message)
      assert.is_falsy(got.error.message:find "%.lua")
      assert.equal(param or false, got.error.param)
      assert.equal(status == 404 and "not_found_error" or status == 413 and "request_too_large"
        or "invalid_request_error", got.error.type)
      assert.equal(200, (ask { prompt = "a", max_tokens = 1 })) -- and goes on
    end)
  end
end)

describe("serve.lua with one slot #tsan", function()
  local server
  setup(function()
    assert(os.execute("mkdir " .. folder))
    write_model(folder)
    server = start "--slots 1 --queue 2 --context 100000"
  end)
  teardown(function()
    if server then stop(server) end
    os.execute("rm -r " .. folder)
  end)

  local endless = { prompt = "a", max_tokens = 90000, stream = true }

  it("refuses what the queue has no room for, and has room again when clients leave", function()
    local running = connect(server.port)
    post(running, endless)
    assert.equal(200, (running:head())) -- it has the slot
    local waiting = { connect(server.port), connect(server.port) }
    for _, client in ipairs(waiting) do post(client, { prompt = "a", max_tokens = 90000 }) end
    local late <close> = connect(server.port)
    repeat -- both have been passed on
      late:ask("GET", "/health")
      local _, health = answer(late)
    until health.waiting == 2
    post(late, { prompt = "a", max_tokens = 1 })
    local status, got, headers = answer(late)
    assert.same({ 503, "server_error", "1" }, { status, got.error.type, headers["retry-after"] })
    running:close() -- its text ends; the next ones begin, and end when they are gone
    for _, client in ipairs(waiting) do client:close() end
    local next_one <close> = connect(server.port)
    repeat
      post(next_one, { prompt = "a", max_tokens = 3 })
      status, got = answer(next_one)
    until status ~= 503
    assert.same({ 200, 3 }, { status, got.usage.completion_tokens })
  end)

  it("finishes at Ctrl-C what was asked, and accepts nothing more", function()
    local client <close> = connect(server.port)
    post(client, { prompt = "a", max_tokens = 300, stream = true })
    assert.equal(200, (client:head()))
    local second <close> = connect(server.port)
    post(second, { prompt = "a", max_tokens = 5 })
    second:ask("GET", "/health") -- has come after it
    local said, ok = stop(server)
    server = nil
    assert(ok, said)
    local last, count = nil, 0
    for chunk in function() return client:chunk() end do
      if chunk == "" then break end
      last, count = chunk, count + 1
    end
    assert.matches("%[DONE%]", last)
    assert(count > 1)
    local status, got = answer(second)
    assert.same({ 200, 5 }, { status, got.usage.completion_tokens })
  end)
end)

describe("the command line of serve.lua #plain", function()
  local function run(words)
    local pipe = io.popen(("%s %s %s 2>&1"):format(program, script, words))
    local text = pipe:read "a"
    return text, (pipe:close())
  end

  it("has help", function()
    local text, ok = run "--help"
    assert.is_true(ok)
    assert.matches("^usage: ptlua scripts/examples/serve.lua", text)
  end)

  for words, message in pairs {
    ["--prot 80"] = "there is no option %-%-prot with 80; %-%-help lists them",
    ["--port x"] = "no option %-%-port with x",
    ["--port"] = "no option %-%-port with nil", ["a b"] = "there is one FOLDER, got also b",
    ["no/such/folder"] = "no/such/folder/config.json", ["--host localhost"] = "localhost is no address",
  } do
    it("refuses " .. words, function()
      local text, ok = run(words)
      assert.is_falsy(ok)
      assert.matches(message, text)
    end)
  end
end)
