#!/usr/bin/env bats
# What is written for users agrees with what the program says of itself: README, man page, completion, --help.

load ../helper

setup() {
  setup_work
  MAN=$WORK/snag.1
  sed 's/\\-/-/g' "$ROOT/shim/cli/share/snag.1" >"$MAN"
}

teardown() {
  teardown_work
}

commands() {
  "$SNAG" --help | awk '/^  [a-z]/ {print $1}'
}

# options COMMAND: its long options, from the left column of --help
options() {
  "$SNAG" "$1" --help | grep -oE '^ +(-[a-z], )?--[a-z0-9-]+' | grep -oE -- '--[a-z0-9-]+'
}

@test "each command is in the README, the man page and the completion" {
  local command
  [ "$(commands | wc -l)" -ge 8 ]
  for command in $(commands); do
    grep -qE "^    snag $command( |\$)" "$ROOT/README.md" || fail "README.md: no example of snag $command"
    grep -q "^\.B snag $command\$" "$MAN" || fail "snag.1: snag $command is not in the synopsis"
    grep -F -- '--version" --' "$ROOT/shim/cli/share/completion.bash" | grep -qw -- "$command" ||
      fail "completion.bash: snag $command is not offered"
  done
}

@test "each option is in the man page, and each of the man page is one" {
  local command option documented all="--version"
  for command in $(commands); do
    all+=" $(options "$command")"
  done
  for option in $all; do
    grep -qE -- "(^|[^a-z-])$option([^a-z-]|\$)" "$MAN" || fail "snag.1 does not have $option"
  done
  documented=$(grep -oE -- '--[a-z][a-z0-9-]+' "$MAN" | sort -u)
  for option in $documented; do
    grep -qFw -- "$option" <<<"$all" || fail "snag.1: no command has $option"
  done
}

@test "the README lists why a prediction is unknown: each reason, and no other" {
  run diff <(sed -n '/^| unknown because of/,/^$/p' "$ROOT/README.md" | grep -oE '^\| .[a-z_]+. \|' | tr -dc 'a-z_\n' | sort) \
    <("$SNAG" schema trace | jq -r '.properties.model_why.enum[]' | sort)
  assert_success
  [ "$("$SNAG" schema trace | jq '.properties.model_why.enum | length')" -ge 6 ]
}

@test "the policies that the READMEs show are valid" {
  local file block=0
  for file in README.md policies/README.md; do
    awk -v to="$WORK/shown-${file//\//-}" '
      /^    (# yaml|version: 1)/ && !inside {inside = 1; n++}
      !/^    / && !/^$/ {inside = 0}
      inside {sub(/^    /, ""); print > (to "-" n ".yaml")}' "$ROOT/$file"
  done
  for file in "$WORK"/shown-*.yaml; do
    run "$SNAG" check "$file"
    assert_success
    block=$((block + 1))
  done
  [ "$block" -ge 4 ]
}

@test "the fields of the README's trace are those of the schema" {
  requires jq
  local field fields
  fields=$("$SNAG" schema trace | jq -r '.properties | keys[]')
  run bash -c "sed -n '/^## The trace/,/^## /p' '$ROOT/README.md' | sed -n 's/^| \(\`[^|]*\) |.*/\1/p' | grep -oE '[a-z_]+'"
  assert_success
  [ "${#lines[@]}" -ge 25 ]
  for field in "${lines[@]}"; do
    grep -qx "$field" <<<"$fields" || fail "README.md: no trace has the field $field"
  done
}

@test "no link between the documents is dead" {
  local file target targets page heading
  for file in README.md policies/README.md policies/kernels.md examples/README.md shim/README.md; do
    targets=$(grep -oE '\]\([^)]+\)' "$ROOT/$file" | sed 's/^](//; s/)$//')
    for target in $targets; do
      page=${target%%#*}
      page=$(dirname "$ROOT/$file")/${page:-$(basename "$file")}
      [ -e "$page" ] || fail "$file: $target does not exist"
      [[ $target == *#* ]] || continue
      heading=$(sed -n 's/^##* //p' "$page" | tr '[:upper:] ' '[:lower:]-' | grep -xF -- "${target#*#}") || true
      [ -n "$heading" ] || fail "$file: no heading for $target"
    done
  done
}
