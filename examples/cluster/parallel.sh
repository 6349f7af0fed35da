#!/bin/sh
# Four shards by GNU parallel, and then one directory. With --sshlogin a,b they run on those machines.
set -e
OUT=${OUT:-policies}
parallel --halt now,fail=1 heteromem sweep "${SPEC:-policies.yaml}" --out "$OUT.{}" --quiet --workers 1 --shard {}/4 ::: 1 2 3 4
heteromem merge "$OUT.1" "$OUT.2" "$OUT.3" "$OUT.4" --out "$OUT"
