--- The files that make functions and methods of the module. No name is made by two of them; where a name is also a row
--- of engine/ops.def, `define.fronts` of its file says so (pt.define), and what the file makes is what scripts get.
return {
  "functions.convert", "functions.shape", "functions.elementwise", "functions.reduce", "functions.order",
  "functions.select", "functions.scatter", "functions.products", "functions.random", "functions.algebra",
  "functions.spectrum", "einsum", "create", "generator", "modes", "print", "help",
}
