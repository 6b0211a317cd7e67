--- Answers OpenAI-style completion requests over HTTP.
--
--   ptlua scripts/examples/serve.lua [OPTIONS] [FOLDER]
--   curl http://127.0.0.1:8080/v1/completions -d '{"prompt": "And God said", "max_tokens": 40, "stream": true}'
--
-- FOLDER is a published model as it was downloaded: config.json, model.safetensors or its index, tokenizer.json.
-- Without one a small Llama of letters answers, which knows nothing unless --train lets it read the King James Bible.
-- Expected: 16 clients at once get 4 times as many tokens a second as one; docs/models.md has figures.
--
-- How it works: libmicrohttpd's thread speaks HTTP; this script takes requests, answers the quick ones and passes the
-- others on; --workers replicas of the model, which share its weights, take them when they have room. Each continues
-- all of its texts together, one token a step (models.ContinuousBatch): a text joins and leaves between two steps, and
-- its tokens are those that models.generate draws for it alone.

local pt = require "pt"
local data, models = pt.data, pt.models

local HELP = [[
usage: ptlua scripts/examples/serve.lua [OPTIONS] [FOLDER]
  --host 127.0.0.1    the address to listen at; whoever can reach it may ask
  --port 8080         0: one that is free
  --workers 1         replicas of the model; more pay for small models and many cores
  --slots 16          texts that a replica continues together
  --queue 64          requests that wait for a replica; further ones get status 503
  --connections 256   open connections
  --max-body 1048576  bytes of a request
  --context N         tokens of prompt and answer together; the model's own, or 2048
  --prefill 256       tokens of prompts that a step reads beside the texts that are being continued
  --dtype NAME        of the weights: float32, bfloat16, float16
  --name NAME         what the model is called
  --train 0           steps that the small model learns before it answers
Paths: POST /v1/completions, POST /v1/chat/completions, GET /v1/models, GET /health. Ctrl-C ends it, once what was asked
is answered; a second one at once.]]

-- ---- options ----

local function read_options(words)
  local options = {
    host = "127.0.0.1", port = 8080, workers = 1, slots = 16, queue = 64, connections = 256, max_body = 1 << 20,
    context = 0, prefill = 256, dtype = "", name = "", train = 0,
  }
  local i = 1
  while i <= #words do
    local name = words[i]:match "^%-%-(.+)$"
    local key = name and name:gsub("-", "_")
    if name == "help" then
      print(HELP)
      os.exit(0)
    elseif not name then
      if options.folder then error("there is one FOLDER, got also " .. words[i], 0) end
      options.folder = words[i]:gsub("/+$", "")
      i = i + 1
    else
      local default, value = options[key], words[i + 1]
      if type(default) == "number" then value = math.tointeger(tonumber(value)) end
      if default == nil or value == nil then
        error(("there is no option %s with %s; --help lists them"):format(words[i], tostring(words[i + 1])), 0)
      end
      options[key] = value
      i = i + 2
    end
  end
  return options
end

-- ---- models ----

-- A published model: the model, its tokenizer, and what else the workers need of it.
local function open_published(options)
  local config = data.read_json(options.folder .. "/config.json")
  local model = models.from_pretrained(options.folder, { dtype = options.dtype ~= "" and options.dtype or nil })
  local ends, ids = {}, config.eos_token_id or {}
  for _, id in ipairs(type(ids) == "table" and ids or { ids }) do ends[#ends + 1] = id + 1 end
  return model, data.tokenizers.load(options.folder .. "/tokenizer.json"), {
    stop = ends, context = config.max_position_embeddings or config.n_positions or 2048,
    name = options.folder:match "[^/]+$",
  }
end

-- A small Llama of letters, after `steps` steps over the text.
local function open_small(steps)
  local here = arg[0]:match "^(.*)/[^/]*$" or "."
  local text = data.read_text(here .. "/data/kjv.txt")
  local tokenizer = data.CharTokenizer(text)
  pt.manual_seed(1)
  local model = models.LlamaForCausalLM {
    vocab_size = #tokenizer, hidden_size = 96, intermediate_size = 256, num_hidden_layers = 3, num_attention_heads = 6,
    num_key_value_heads = 2,
  }
  local optimizer = pt.optim.AdamW(model:parameters(), { lr = 3e-3 })
  local ids = steps > 0 and tokenizer:encode(text)
  for step = 1, steps do
    local at = (pt.randint(1, #ids - 128, { 8, 1 }) + pt.arange(128)):reshape(-1)
    local x, y = ids:index_select(1, at):reshape(8, 128), ids:index_select(1, at + 1)
    optimizer:zero_grad()
    local loss = pt.nn.functional.cross_entropy(model(x):flatten(1, 2), y)
    loss:backward()
    pt.nn.utils.clip_grad_norm_(model:parameters(), 1)
    optimizer:step()
    if step % 50 == 0 then print(("step %d, loss %.2f"):format(step, loss:item())) end
  end
  return model:eval(), tokenizer, { stop = {}, context = 2048, name = "kjv-letters" }
end

-- ---- errors ----

-- Raised for a request that is wrong; `param` is the field.
local function refuse(status, message, param, ...)
  error({ status = status, message = message:format(...), param = param }, 0)
end

-- What the library says of a mistake, without its own function and line.
local function reason_of(err) return (tostring(err):gsub("^[%a_]+: ", ""):gsub(" %([^()]*:%d+%)$", "")) end

-- The body of an error, in OpenAI's form.
local KINDS = { [404] = "not_found_error", [413] = "request_too_large", [500] = "server_error", [503] = "server_error" }
local NULL = {}
local function to_json(value) return data.to_json(value, { null = NULL }) end
local JSON = { ["Content-Type"] = "application/json" }

local function respond_error(request, err, headers)
  if type(err) ~= "table" then err = { status = 500, message = "the server failed: " .. tostring(err) } end
  headers = headers or {}
  headers["Content-Type"] = "application/json"
  return request:respond(err.status, to_json { error = {
    message = err.message, type = KINDS[err.status] or "invalid_request_error", param = err.param or NULL, code = NULL,
  } }, headers)
end

-- ---- what is asked ----

local ENDLESS = math.huge
-- Fields of a body that are numbers, their bounds and defaults, and the options of models.generate that they become.
local NUMBERS = {
  temperature = { 0, 2, 1, "temperature" }, top_p = { 0, 1, 1, "top_p" }, min_p = { 0, 1, 0, "min_p" },
  top_k = { -1, ENDLESS, 0, "top_k", "integer" }, repetition_penalty = { 0, ENDLESS, 1, "repetition_penalty" },
  presence_penalty = { -2, 2, 0, "presence_penalty" }, frequency_penalty = { -2, 2, 0, "frequency_penalty" },
  max_tokens = { 0, ENDLESS, false, false, "integer" }, max_completion_tokens = { 0, ENDLESS, false, false, "integer" },
  n = { 1, 128, 1, false, "integer" }, seed = { math.mininteger, math.maxinteger, false, false, "integer" },
}
-- What would change the answer and is not done.
local ABSENT = { "logit_bias", "suffix", "best_of", "tools", "functions", "response_format" }

local function number_of(body, name)
  local low, high, default, _, kind = table.unpack(NUMBERS[name])
  local value = body[name]
  if not value then return default end
  if type(value) ~= "number" or kind and not math.tointeger(value) or value < low or value > high then
    refuse(400, "%s must be %s from %s to %s", name, name, kind and "an integer" or "a number", low, high)
  end
  return kind and math.tointeger(value) or value
end

local function stops_of(body)
  local stop = body.stop or {}
  local list = type(stop) == "table" and stop or { stop }
  for _, text in ipairs(list) do
    if type(text) ~= "string" or text == "" then refuse(400, "stop must be a string or a list of them", "stop") end
  end
  if #list > 16 then refuse(400, "stop must not have more than 16 strings", "stop") end
  return list
end

-- What a body asks for, but for the prompt.
local function read_body(text)
  local ok, body = pcall(data.parse_json, text)
  if not ok then refuse(400, "the body must be JSON: %s", nil, reason_of(body)) end
  if type(body) ~= "table" or #body > 0 then refuse(400, "the body must be a JSON object") end
  for _, name in ipairs(ABSENT) do
    local value = body[name]
    local empty = type(value) == "table" and next(value) == nil
    if value and not empty then refuse(400, "%s is not supported", name, name) end
  end
  local ask = { options = {}, stops = stops_of(body), stream = body.stream == true, echo = body.echo == true }
  for name, rule in pairs(NUMBERS) do
    local value = number_of(body, name)
    if rule[4] then ask.options[rule[4]] = value else ask[name] = value end
  end
  if ask.options.top_p == 0 then ask.options.top_p, ask.options.top_k = 1, 1 end -- the likeliest alone
  ask.options.top_k = math.max(ask.options.top_k, 0)
  if ask.options.repetition_penalty == 0 then
    refuse(400, "repetition_penalty must be above 0", "repetition_penalty")
  end
  ask.max_tokens = ask.max_completion_tokens or ask.max_tokens
  ask.usage = type(body.stream_options) == "table" and body.stream_options.include_usage == true
  return ask, body
end

-- How many of the likeliest tokens are told with each new one, or nil.
local function logprobs_of(body, chat)
  local count = body.logprobs
  if chat then count = body.logprobs == true and (body.top_logprobs or 0) end
  if not count then return nil end
  if math.type(count) ~= "integer" or count < 0 or count > 20 then
    refuse(400, "%s must be an integer from 0 to 20", chat and "top_logprobs" or "logprobs",
      chat and "top_logprobs" or "logprobs")
  end
  return count
end

-- ---- prompts ----

local function encode(tokenizer, text, special)
  local ok, ids = pcall(tokenizer.encode, tokenizer, text, { add_special_tokens = special })
  if not ok then refuse(400, "the prompt cannot be read: %s", "prompt", reason_of(ids)) end
  if #ids == 0 then refuse(400, "the prompt is empty", "prompt") end
  return ids:tolist()
end

-- Prompts as lists of ids: a text or a list of ids, or a list of these. Ids are the published ones, from 0.
local function read_prompts(tokenizer, prompt)
  local function one(p)
    if type(p) == "string" then return encode(tokenizer, p, true) end
    local ids = {}
    for i, id in ipairs(type(p) == "table" and p or {}) do
      if math.type(id) ~= "integer" or id < 0 or id >= #tokenizer then
        refuse(400, "prompt: id %d must be an integer from 0 to %d", "prompt", i, #tokenizer - 1)
      end
      ids[i] = id + 1
    end
    if #ids == 0 then refuse(400, "prompt must be a string, a list of ids, or a list of these", "prompt") end
    return ids
  end
  if type(prompt) ~= "table" or type(prompt[1]) == "number" then return { one(prompt) } end
  local list = {}
  for i, p in ipairs(prompt) do list[i] = one(p) end
  if #list == 0 then refuse(400, "prompt must not be empty", "prompt") end
  return list
end

-- How models were trained to see a chat; the first whose mark the tokenizer has.
local TEMPLATES = {
  { -- ChatML: Qwen and others
    mark = "<|im_start|>", message = "<|im_start|>%s\n%s<|im_end|>\n", answer = "<|im_start|>assistant\n",
    stop = "<|im_end|>",
  },
  { -- Llama 3
    mark = "<|start_header_id|>", first = "<|begin_of_text|>", stop = "<|eot_id|>",
    message = "<|start_header_id|>%s<|end_header_id|>\n\n%s<|eot_id|>",
    answer = "<|start_header_id|>assistant<|end_header_id|>\n\n",
  },
  { message = "%s: %s\n", answer = "assistant:", stops = { "\nuser:", "\nsystem:" } },
}

local function template_of(tokenizer)
  for _, template in ipairs(TEMPLATES) do
    if not template.mark or tokenizer.id and tokenizer:id(template.mark) then return template end
  end
end

-- The text of a message, of which there may be parts.
local function content_of(message, i)
  local content = message.content
  if type(content) == "table" then
    local parts = {}
    for k, part in ipairs(content) do
      parts[k] = type(part) == "table" and part.type == "text" and part.text
        or refuse(400, "messages: %d: parts must be of the type text", "messages", i)
    end
    content = table.concat(parts)
  end
  if type(content) ~= "string" then refuse(400, "messages: %d: content must be a string", "messages", i) end
  return content
end

-- A chat as ids; the template adds what ends an answer.
local function read_messages(tokenizer, messages, ask, stop)
  if type(messages) ~= "table" or #messages == 0 then refuse(400, "messages must be a list", "messages") end
  local template = template_of(tokenizer)
  local text = { template.first or "" }
  for i, message in ipairs(messages) do
    if type(message) ~= "table" or type(message.role) ~= "string" then
      refuse(400, "messages: %d must be an object with a role", "messages", i)
    end
    text[#text + 1] = template.message:format(message.role, content_of(message, i))
  end
  text[#text + 1] = template.answer
  for _, other in ipairs(template.stops or {}) do table.insert(ask.stops, other) end
  if template.stop then table.insert(stop, tokenizer:id(template.stop)) end
  return encode(tokenizer, table.concat(text), template.mark == nil)
end

-- ---- answers ----

-- Text as JSON can hold it: what is no UTF-8 becomes U+FFFD.
local function valid(text)
  local ok, bad = utf8.len(text)
  while not ok do
    text = text:sub(1, bad - 1) .. "\u{FFFD}" .. text:sub(bad + 1)
    ok, bad = utf8.len(text, bad)
  end
  return text
end

-- Log-probabilities of the tokens that a choice got since it was last asked.
local function take_logprobs(self, choice)
  local made = choice.sequence.logprobs
  if not made then return NULL end
  local function word(id) return id <= #self.tokenizer and valid(self.tokenizer:decode { id }) or "" end
  local content, flat = {}, { tokens = {}, token_logprobs = {}, top_logprobs = {} }
  for i = choice.told + 1, #made do
    local entry, tops, of = made[i], {}, {}
    for k, top in ipairs(entry.top) do
      tops[k], of[word(top.id)] = { token = word(top.id), logprob = top.logprob }, top.logprob
    end
    local token = word(choice.sequence.text[i])
    content[#content + 1] = { token = token, logprob = entry.logprob, top_logprobs = tops }
    table.insert(flat.tokens, token)
    table.insert(flat.token_logprobs, entry.logprob)
    table.insert(flat.top_logprobs, of)
  end
  choice.told = #made
  return self.chat and { content = content } or flat
end

-- A choice as an answer has it, whole or a piece of it.
local function choice_of(self, choice, text, finish)
  local told = { index = choice.index, finish_reason = finish or NULL, logprobs = take_logprobs(self, choice) }
  if not self.chat then told.text = valid(text)
  elseif self.ask.stream then
    told.delta = { content = valid(text), role = not choice.begun and "assistant" or nil }
    choice.begun = true
  else told.message = { role = "assistant", content = valid(text) } end
  return told
end

local function usage_of(self)
  local made = 0
  for _, choice in ipairs(self.choices) do made = made + #choice.sequence.text end
  return { prompt_tokens = self.prompt_tokens, completion_tokens = made, total_tokens = self.prompt_tokens + made }
end

-- An answer or, of a stream, a piece of one.
local function envelope(self, choices, usage)
  return to_json {
    id = self.id, created = self.created, model = self.name, choices = choices, usage = usage,
    object = self.chat and (self.ask.stream and "chat.completion.chunk" or "chat.completion") or "text_completion",
  }
end

local function send_event(self, text)
  if not self.request:write("data: " .. text .. "\n\n") then self.gone = true end
end

-- More text of a choice: at once where it is a stream.
local function tell(self, choice, text, finish)
  table.insert(choice.pieces, text)
  if self.ask.stream and (text ~= "" or finish) then
    send_event(self, envelope(self, { choice_of(self, choice, text, finish) }))
  end
end

local function complete(self)
  if self.ask.stream then
    if self.ask.usage then send_event(self, envelope(self, {}, usage_of(self))) end
    send_event(self, "[DONE]")
    self.request:finish()
    return
  end
  local choices = {}
  for i, choice in ipairs(self.choices) do
    choices[i] = choice_of(self, choice, table.concat(choice.pieces), choice.finish)
  end
  self.request:respond(200, envelope(self, choices, usage_of(self)), JSON)
end

-- ---- a replica ----

-- Reads a request and adds its texts to the batch; returns the job, which knows them by their sequences.
local function begin(worker, request)
  local ask, body = read_body(request.body)
  local chat = request.path:find "chat" ~= nil
  local stop = table.move(worker.stop, 1, #worker.stop, 1, {})
  local prompts = chat and { read_messages(worker.tokenizer, body.messages, ask, stop) }
    or read_prompts(worker.tokenizer, body.prompt)
  local logprobs = logprobs_of(body, chat)
  if chat and ask.echo then refuse(400, "echo is for completions", "echo") end
  if logprobs and ask.echo then refuse(400, "echo does not tell the log-probabilities of the prompt", "echo") end
  if #prompts * ask.n > 128 then refuse(400, "a request may ask for 128 texts, not %d", "n", #prompts * ask.n) end
  worker.count = worker.count + 1
  local job = {
    request = request, ask = ask, chat = chat, choices = {}, prompt_tokens = 0, left = #prompts * ask.n,
    tokenizer = worker.tokenizer, name = worker.name, created = os.time(),
    id = ("%s-%x-%x"):format(chat and "chatcmpl" or "cmpl", worker.tag, worker.count),
  }
  for _, ids in ipairs(prompts) do
    local room = worker.context - #ids
    local most = ask.max_tokens or chat and room or math.min(16, room)
    if room < 1 or most > room then
      refuse(400, "the model sees %d tokens, but the prompt has %d and max_tokens is %d", "max_tokens", worker.context,
        #ids, most)
    end
    job.prompt_tokens = job.prompt_tokens + #ids
    for k = 1, ask.n do
      table.insert(job.choices, {
        index = #job.choices, ids = ids, most = most, seed = ask.seed and ask.seed + k - 1, pieces = {}, told = 0,
      })
    end
  end
  if ask.stream then request:begin(200, { ["Content-Type"] = "text/event-stream", ["Cache-Control"] = "no-cache" }) end
  for _, choice in ipairs(job.choices) do
    local options = { max_new_tokens = choice.most, stop = stop, logprobs = logprobs, generator = pt.Generator() }
    for name, value in pairs(ask.options) do options[name] = value end
    if choice.seed then options.generator:manual_seed(choice.seed) else options.generator:seed() end
    choice.text = data.Detokenizer(worker.tokenizer, ask.stops)
    options.on_token = function(id)
      if id > #worker.tokenizer then return not job.gone end -- vocabularies are padded with ids that mean nothing
      local piece, stopped = choice.text:add(id)
      tell(job, choice, piece)
      return not (stopped or job.gone)
    end
    choice.sequence = worker.batch:add(choice.ids, options)
    worker.choices[choice.sequence] = { job, choice }
    if ask.echo then tell(job, choice, worker.tokenizer:decode(choice.ids)) end
  end
  return job
end

-- Takes requests while there is room: waits for one where there is nothing else to do. True when none will come.
local function admit(worker, server)
  while #worker.batch < worker.slots do
    local request, why = server:receive_passed(#worker.batch == 0 and 1 or 0)
    if not request then return why == "closed" end
    local ok, job = pcall(begin, worker, request)
    if ok then worker.jobs[job] = true else respond_error(request, job) end
  end
  return false
end

local function drop(worker, job)
  worker.jobs[job] = nil
  for _, choice in ipairs(job.choices) do
    worker.batch:remove(choice.sequence)
    worker.choices[choice.sequence] = nil
  end
end

-- A token for every text.
local function step(worker)
  for job in pairs(worker.jobs) do
    if job.gone or job.request:gone() then drop(worker, job) end
  end
  for _, sequence in ipairs(worker.batch:step()) do
    local job, choice = table.unpack(worker.choices[sequence] or {})
    if job then -- its client is still there
      choice.finish = sequence.finish
      tell(job, choice, choice.text:flush(), choice.finish)
      job.left = job.left - 1
      if job.left == 0 then
        complete(job)
        drop(worker, job)
      end
    end
  end
end

-- What a worker of the pool does until the server is drained.
local function serve(server, model, tokenizer, settings)
  local worker = {
    tokenizer = tokenizer, stop = settings.stop, context = settings.context, name = settings.name, count = 0,
    slots = settings.slots, tag = pt.Generator():seed() & 0xffffffffff, jobs = {}, choices = {},
    batch = models.ContinuousBatch(model, { prefill = settings.prefill }),
  }
  local over = false
  while not over or #worker.batch > 0 do
    over = over or admit(worker, server)
    local ok, err = pcall(step, worker)
    if not ok then -- not one text's fault alone: they all end, and the next ones begin anew
      for job in pairs(worker.jobs) do
        if not job.ask.stream then respond_error(job.request, err) end
      end
      worker.jobs, worker.choices = {}, {}
      worker.batch = models.ContinuousBatch(model, { prefill = settings.prefill })
    end
  end
end

-- ---- the front ----

local function route(server, request, settings, futures)
  local method, path = request.method, request.path
  local posts = path == "/v1/completions" or path == "/v1/chat/completions"
  local gets = path == "/health" or path == "/v1/models"
  local card = { id = settings.name, object = "model", created = settings.started, owned_by = "ptlua" }
  if not posts and not gets then
    respond_error(request, { status = 404, message = ("there is no %s here"):format(path) })
  elseif method ~= (posts and "POST" or "GET") then
    local allowed = posts and "POST" or "GET"
    respond_error(request, { status = 405, message = ("%s takes %s"):format(path, allowed) }, { Allow = allowed })
  elseif path == "/health" then
    request:respond(200, { status = "ok", waiting = server:waiting() })
  elseif path == "/v1/models" then
    request:respond(200, { object = "list", data = { card } })
  elseif not request.body then
    respond_error(request, { status = 413, message = ("the body has more than %d bytes"):format(settings.max_body) })
  else
    for _, future in ipairs(futures) do
      if future:done() then future:get() end -- a worker that has failed
    end
    if not request:pass() then
      respond_error(request, { status = 503, message = "the server is busy; ask again later" }, { ["Retry-After"] = 1 })
    end
  end
end

local options = read_options(arg)
local model, tokenizer, settings
if options.folder then model, tokenizer, settings = open_published(options) else
  model, tokenizer, settings = open_small(options.train)
end
for name, value in pairs(options) do
  if value ~= 0 and value ~= "" then settings[name] = value end
end
settings.started = os.time()

local server <close> = pt.http.Server {
  address = options.host, port = options.port, connections = options.connections, max_body = options.max_body,
  queue = options.queue,
}
local pool <close> = pt.pool(options.workers)
local futures = {}
for i = 1, options.workers do futures[i] = pool:submit(serve, server, model, tokenizer, settings) end
print(("%s answers at %s/v1/completions"):format(settings.name, tostring(server)))
io.stdout:flush()
for request in server:requests() do route(server, request, settings, futures) end
print "finishing what was asked"
for _, future in ipairs(futures) do future:get() end
