#!/usr/bin/env bash
# Every include of shim/ points the way that shim/README.md draws: a layer may use only the layers named here, itself,
# and include/snag. Prints each include that does not, and fails.
set -euo pipefail
cd "$(dirname "$0")/.."

declare -A may=(
  [base]=""
  [model]="base"
  [policy]="base"
  [trace]="base"
  [session]="base"
  [effects]="base"
  [probe]="base"
  [layout]="session model policy effects trace base"
  [engine]="model policy trace base"
  [compile]="policy base"
  [preload]="layout engine model policy trace session effects probe base"
  [cli]="layout engine model policy trace session effects probe compile base"
)

bad=0
while IFS=: read -r file line include; do
  layer=${file#shim/}; layer=${layer%%/*}
  target=${include#*\"}; target=${target#*<}; target=${target%%/*}
  [[ -n ${may[$target]+x} ]] || continue
  [[ $target == "$layer" || " ${may[$layer]:-} " == *" $target "* ]] && continue
  echo "$file:$line: $layer may not include $target"
  bad=1
done < <(grep -nE '^#include [<"][a-z]+/' -r shim --include='*.[ch]')

while IFS=: read -r file line include; do
  [[ $include == *'<snag/'* || $include != *'"'* ]] && continue
  echo "$file:$line: include/snag stands alone"
  bad=1
done < <(grep -nE '^#include ' -r include)

for layer in shim/*/; do
  layer=${layer#shim/}; layer=${layer%/}
  [[ -n ${may[$layer]+x} ]] || { echo "shim/$layer: no layer of this name in tests/layers.sh"; bad=1; }
done
exit $bad
