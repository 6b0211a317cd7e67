-- What torchvision 0.29.2 and transformers 5.24.0 compute; made by spec/peers/models.py.
return {
  { name = "resnet18", arguments = { num_classes = 10 }, names = 102, checksum = 456802097, largest = 1.20759118,
    sum = 0.0656114748, first = { -1.2064594, -0.534802556, 0.568703771, 1.17962039, 0.784146369, -0.294544399 } },
  { name = "resnet34", arguments = { num_classes = 10 }, names = 182, checksum = 1105789526, largest = 2.95335269,
    sum = -0.0654604899, first = { 0.931828618, 2.8371799, 2.38370109, -0.0644735545, -2.4894166, -2.88835025 } },
  { name = "resnet50", arguments = { num_classes = 10 }, names = 267, checksum = 477950558, largest = 8.95274544,
    sum = -0.348926544, first = { -0.599214256, -4.78239059, 7.62703848, -8.95274544, 7.3635006, -3.25640655 } },
  { name = "resnet101", arguments = { num_classes = 10 }, names = 522, checksum = 253648553, largest = 8.40105534,
    sum = 0.168716158, first = { 7.82742977, -7.82839012, 5.75022459, -1.29293644, -2.73223042, 6.6104784 } },
  { name = "resnet152", arguments = { num_classes = 10 }, names = 777, checksum = 1818131568, largest =
    59.0690002, sum = 3.16755235, first = { 20.9773293, 15.789793, -39.8746758, 57.1609116, -56.4574203, 34.779789 }
    },
  { name = "resnext50_32x4d", arguments = { num_classes = 10 }, names = 267, checksum = 1070201516, largest =
    12.1268129, sum = -0.320543773, first = { 1.97133207, -8.74697495, 11.616025, -11.6113529, 8.34045506,
    -1.66826582 } },
  { name = "mobilenet_v2", arguments = { num_classes = 10 }, names = 262, checksum = 300172571, largest =
    2.85596752, sum = -0.0392639962, first = { 1.76397097, 0.478015929, -2.45956802, 2.85596752, -1.43050373,
    -0.9512797 } },
  { name = "mobilenet_v3_large", arguments = { num_classes = 10 }, names = 266, checksum = 1427082337, largest =
    1.00773716, sum = -0.0345803418, first = { 0.922674775, -0.387598455, -0.44217658, 0.998795748, -0.854549825,
    0.264285922 } },
  { name = "mobilenet_v3_small", arguments = { num_classes = 10 }, names = 210, checksum = 607673551, largest =
    0.491529912, sum = -0.0499167753, first = { -0.442334354, 0.349012375, 0.170726582, -0.466180474, 0.079961285,
    0.481420398 } },
  { name = "efficientnet_b0", arguments = { num_classes = 10 }, names = 311, checksum = 812774006, largest =
    2.57236767, sum = -0.0159140374, first = { 1.96342611, -0.176431879, -1.72896397, 2.55892467, -1.73156965,
    -0.249803901 } },
  { name = "vgg11", arguments = { num_classes = 10, hidden = 32 }, names = 22, checksum = 1174405177, largest =
    0.206771314, sum = -0.00904669167, first = { -0.0990917981, -0.115575992, -0.0583318323, 0.039002642,
    0.121110469, 0.139757365 } },
  { name = "vgg16_bn", arguments = { num_classes = 10, hidden = 32 }, names = 84, checksum = 49275040, largest =
    0.208569229, sum = -0.00979173785, first = { -0.0996763408, -0.119267859, -0.063267298, 0.0353151225,
    0.120532408, 0.142580584 } },
  { name = "vit_b_32", arguments = { num_classes = 10, image_size = 64 }, names = 152, checksum = 1472189647,
    largest = 1.56168437, sum = 0.0645181751, first = { 1.38565338, 0.866096199, -1.14424992, -1.26704061,
    0.687246919, 1.47066736 } },
  { name = "GPT2LMHeadModel", arguments = { vocab_size = 97, n_positions = 32, n_embd = 32, n_layer = 2, n_head =
    4 }, names = 28, checksum = 1391752045, largest = 5.94842052, sum = 12.2048103, first = { -1.28315878,
    2.5551281, 5.10353422, 5.07557344, 2.48535824, -1.35951531 } },
  { name = "LlamaForCausalLM", arguments = { vocab_size = 97, hidden_size = 32, intermediate_size = 48,
    num_hidden_layers = 2, num_attention_heads = 4, num_key_value_heads = 2 }, names = 21, checksum = 433825308,
    largest = 2.42468858, sum = 4.39068958, first = { 0.532288909, 0.605341136, 0.372804493, -0.0479311794,
    -0.444470346, -0.616631687 } },
  { name = "LlamaForCausalLM", arguments = { vocab_size = 97, hidden_size = 32, intermediate_size = 48,
    num_hidden_layers = 2, num_attention_heads = 4, num_key_value_heads = 1, rope_parameters = { rope_type =
    "llama3", rope_theta = 10000.0, factor = 8.0, low_freq_factor = 1.0, high_freq_factor = 4.0,
    original_max_position_embeddings = 16 }, tie_word_embeddings = true, attention_bias = true }, names = 28,
    checksum = 865259481, largest = 1.73502696, sum = 2.20127252, first = { -0.22835353, 0.749656677, 1.34922445,
    1.26767683, 0.546179593, -0.45104 } },
  { name = "MistralForCausalLM", arguments = { vocab_size = 97, hidden_size = 32, intermediate_size = 48,
    num_hidden_layers = 2, num_attention_heads = 4, num_key_value_heads = 2 }, names = 21, checksum = 433825308,
    largest = 2.42468858, sum = 4.39068958, first = { 0.532288909, 0.605341136, 0.372804493, -0.0479311794,
    -0.444470346, -0.616631687 } },
  { name = "Qwen2ForCausalLM", arguments = { vocab_size = 97, hidden_size = 32, intermediate_size = 48,
    num_hidden_layers = 2, num_attention_heads = 4, num_key_value_heads = 2 }, names = 27, checksum = 731442265,
    largest = 2.21671224, sum = -2.92877986, first = { 0.389437467, 0.345469654, 0.127101749, -0.155429751,
    -0.35949707, -0.382083237 } },
  { name = "Qwen3ForCausalLM", arguments = { vocab_size = 97, hidden_size = 32, intermediate_size = 48,
    num_hidden_layers = 2, num_attention_heads = 4, num_key_value_heads = 2, head_dim = 16 }, names = 25, checksum =
    1290144316, largest = 1.46118963, sum = -1.26900173, first = { 0.180733606, 0.486332059, 0.546420097,
    0.330664039, -0.0520178266, -0.408440024 } },
  { name = "BertModel", arguments = { vocab_size = 97, hidden_size = 32, intermediate_size = 48, num_hidden_layers
    = 2, num_attention_heads = 4, max_position_embeddings = 16 }, names = 39, checksum = 1137613415, largest =
    2.16525507, sum = -15.8703966, first = { -1.27201366, -1.2075156, -0.173321337, 1.25255239, 2.03996992,
    1.66295242 } },
  { name = "BertForSequenceClassification", arguments = { vocab_size = 97, hidden_size = 32, intermediate_size =
    48, num_hidden_layers = 2, num_attention_heads = 4, max_position_embeddings = 16, num_labels = 3 }, names = 41,
    checksum = 1004300344, largest = 0.61349088, sum = -1.02345172, first = { -0.61349088, -0.253610373, 0.22489953,
    -0.534648418, -0.124128006, 0.339656383 } },
  { name = "BertForMaskedLM", arguments = { vocab_size = 97, hidden_size = 32, intermediate_size = 48,
    num_hidden_layers = 2, num_attention_heads = 4, max_position_embeddings = 16 }, names = 42, checksum =
    1873821269, largest = 1.10324037, sum = -0.798261969, first = { -0.579253674, -0.371147931, 0.0405726731,
    0.450140119, 0.650391757, 0.537406445 } },
  { name = "T5ForConditionalGeneration", arguments = { vocab_size = 97, d_model = 32, d_kv = 8, d_ff = 48,
    num_layers = 2, num_heads = 4, relative_attention_num_buckets = 8, relative_attention_max_distance = 10 }, names
    = 47, checksum = 1597649034, largest = 0.292589754, sum = -0.0148310058, first = { -0.00430732826, 0.181283653,
    0.275358975, 0.230427414, 0.0691714883, -0.12700364 } },
  { name = "T5ForConditionalGeneration", arguments = { vocab_size = 97, d_model = 32, d_kv = 8, d_ff = 48,
    num_layers = 2, num_heads = 4, relative_attention_num_buckets = 8, relative_attention_max_distance = 10,
    feed_forward_proj = "gated-gelu", tie_word_embeddings = false }, names = 52, checksum = 1692803511, largest =
    1.34099197, sum = 1.46702521, first = { 1.09717906, 1.00633538, 0.407473058, -0.397089869, -1.00119388,
    -1.09987462 } },
  { name = "WhisperEncoder", arguments = { num_mel_bins = 8, d_model = 32, encoder_layers = 2,
    encoder_attention_heads = 4, encoder_ffn_dim = 48, max_source_positions = 20 }, names = 37, checksum =
    902645162, largest = 2.47089911, sum = 1.58117733, first = { -0.0884418339, -0.781390905, -0.853144109,
    -0.969304681, -0.146279186, 0.748389602 } },
}
