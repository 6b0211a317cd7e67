--- pt.models: networks whose weights are published, under the names that their files have. Each stands in a file of its
--- own, to be copied and changed; all are loaded when they are first asked for.

return require "pt.lazy"({}, {
  "pt.models.resnet", "pt.models.vgg", "pt.models.mobilenet", "pt.models.efficientnet", "pt.models.vit",
}, {}, nil, "pt.models")
