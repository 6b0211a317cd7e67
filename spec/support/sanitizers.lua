-- What specs under a sanitizer need: variables of the environment, and options of busted. OpenBLAS is not instrumented:
-- what it does between its own threads is its own.
return {
  asan = {
    environment = "ASAN_OPTIONS=detect_stack_use_after_return=1:allocator_may_return_null=1 " ..
      "UBSAN_OPTIONS=print_stacktrace=1 ",
    options = "--exclude-tags=asan,plain",
  },
  tsan = {
    environment = "TSAN_OPTIONS=suppressions=$PWD/spec/support/tsan.supp:allocator_may_return_null=1 setarch -R ",
    options = "--exclude-tags=tsan,plain",
  },
}
