#!/bin/sh
# run.sh BUILD RUNS [TARGET ...]: fuzzes each target (all without names) from the seeds and what earlier runs kept, and prints a
# line for each: runs, features reached, seconds. Fails where there was a finding; its input is in BUILD/findings.
build=$1 runs=$2
shift 2
[ $# -gt 0 ] || set -- $("$build/ptlua" spec/fuzz/targets.lua list)
"$build/ptlua" spec/fuzz/seeds.lua "$build/seeds" || exit 1
mkdir -p "$build/findings" "$build/corpus"
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 PT_NUM_THREADS=1
found=0
for target; do
  mkdir -p "$build/corpus/$target" "$build/seeds/$target"
  log=$build/corpus/$target.log
  if FUZZ_TARGET=$target "$build/harness" -runs="$runs" -max_len=4096 -timeout=20 -rss_limit_mb=3000 -print_final_stats=1 \
    -artifact_prefix="$build/findings/$target-" "$build/corpus/$target" "$build/seeds/$target" >"$log" 2>&1; then
    awk -v target="$target" '/DONE /{for (i = 1; i < NF; i++) { if ($i == "ft:") ft = $(i + 1) }}
      /number_of_executed_units/{n = $2} /average_exec_per_sec/{rate = $2}
      END {printf "  %-12s %9d runs, %6d features, %6d runs a second\n", target, n, ft, rate}' "$log"
  else
    found=1
    printf '  %-12s FINDING, see %s\n' "$target" "$log"
    grep -E "FINDING|ERROR|SUMMARY|runtime error" "$log" | head -5
  fi
done
exit $found
