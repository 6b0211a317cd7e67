--- pt.models: networks whose weights are published, under the names that their files have. Each stands in a file of its
--- own, to be copied and changed; all are loaded when they are first asked for.

local KVCache = require("pt.models.language").KVCache

return require "pt.lazy"({ KVCache = KVCache }, {
  "pt.models.resnet", "pt.models.vgg", "pt.models.mobilenet", "pt.models.efficientnet", "pt.models.vit",
  "pt.models.gpt2", "pt.models.llama", "pt.models.bert", "pt.models.t5", "pt.models.whisper", "pt.models.weights",
  "pt.models.generate", "pt.models.batch",
}, {}, nil, "pt.models")
