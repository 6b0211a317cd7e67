--- The files that make functions and methods of the module. Of a name that two make, the later counts.
return {
  "functions.convert", "functions.shape", "functions.elementwise", "functions.reduce", "functions.order",
  "functions.select", "functions.scatter", "functions.products", "functions.random", "functions.algebra",
  "functions.spectrum", "einsum", "create", "generator", "modes", "print", "help",
}
