--- The messages of ONNX, as far as they are read: names and kinds of fields by number (wire.lua).

local schema = {}

local function list(kind) return { list = kind } end

schema.tensor = {
  [1] = { "dims", "ints" }, [2] = { "data_type", "int" }, [4] = { "float_data", "floats" },
  [5] = { "int32_data", "ints" }, [7] = { "int64_data", "ints" }, [8] = { "name", "text" }, [9] = { "raw", "place" },
  [10] = { "double_data", "doubles" }, [11] = { "uint64_data", "ints" }, [14] = { "data_location", "int" },
}
schema.graph = {} -- which a node may hold, so that its fields come last
schema.attribute = {
  [1] = { "name", "text" }, [2] = { "f", "float" }, [3] = { "i", "int" }, [4] = { "s", "text" },
  [5] = { "t", schema.tensor }, [6] = { "g", schema.graph }, [7] = { "floats", "floats" }, [8] = { "ints", "ints" },
  [9] = { "strings", list "text" }, [20] = { "type", "int" },
}
schema.node = {
  [1] = { "input", list "text" }, [2] = { "output", list "text" }, [3] = { "name", "text" },
  [4] = { "op_type", "text" }, [5] = { "attribute", list(schema.attribute) }, [7] = { "domain", "text" },
}
schema.dim = { [1] = { "value", "int" }, [2] = { "param", "text" } }
schema.shape = { [1] = { "dim", list(schema.dim) } }
schema.tensor_type = { [1] = { "elem_type", "int" }, [2] = { "shape", schema.shape } }
schema.type = { [1] = { "tensor", schema.tensor_type } }
schema.value = { [1] = { "name", "text" }, [2] = { "type", schema.type } }
schema.graph[1], schema.graph[2] = { "node", list(schema.node) }, { "name", "text" }
schema.graph[5] = { "initializer", list(schema.tensor) }
schema.graph[11], schema.graph[12] = { "input", list(schema.value) }, { "output", list(schema.value) }
schema.opset = { [1] = { "domain", "text" }, [2] = { "version", "int" } }
schema.entry = { [1] = { "key", "text" }, [2] = { "value", "text" } }
schema.model = {
  [1] = { "ir_version", "int" }, [2] = { "producer_name", "text" }, [7] = { "graph", schema.graph },
  [8] = { "opset", list(schema.opset) }, [14] = { "metadata", list(schema.entry) },
}

--- Numbers of the elements' types, and what files call them here (engine/io/element.h).
schema.elements = {
  [1] = "F32", [2] = "U8", [3] = "I8", [4] = "U16", [5] = "I16", [6] = "I32", [7] = "I64", [9] = "BOOL", [10] = "F16",
  [11] = "F64", [12] = "U32", [13] = "U64", [14] = "C64", [15] = "C128", [16] = "BF16", [17] = "F8_E4M3",
  [18] = "F8_E4M3FNUZ", [19] = "F8_E5M2", [20] = "F8_E5M2FNUZ",
}
schema.number_of = {}
for number, element in pairs(schema.elements) do schema.number_of[element] = number end

return schema
