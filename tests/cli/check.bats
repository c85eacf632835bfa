#!/usr/bin/env bats
# check.bats - snag check and snag schema, from the outside.
# shellcheck disable=SC2154  # stderr is what `run --separate-stderr` sets

load ../helper

setup() { setup_work; cd "$WORK" || return 1; }
teardown() { cd /; teardown_work; }

good='version: 1
rules:
  - {name: one, call: bind, when: {first: 3}, do: {errno: EADDRINUSE}}
  - {name: two, call: accept, do: {errno: EMFILE}}'

bad='version: 1
rules:
  - call: connect
    do: {errno: ECONREFUSED}'

@test "a good policy: one line on stdout, exit 0" {
  echo "$good" >storm.yaml
  run --separate-stderr "$SNAG" check storm.yaml
  assert_success
  assert_output "storm.yaml: ok: 2 rules, mode inject"
  assert_equal "$stderr" ""
}

@test "a bad policy: place, path, what and a hint on stderr, exit 2" {
  echo "$bad" >storm.yaml
  run --separate-stderr "$SNAG" check storm.yaml
  assert_failure 2
  assert_output ""
  assert_equal "$stderr" \
    "storm.yaml:4:17: error: rules[0].do.errno: unknown errno 'ECONREFUSED'; did you mean ECONNREFUSED?"
}

@test "several files: each by itself, all of them" {
  echo "$good" >a.yaml
  echo "$bad" >b.yaml
  run --separate-stderr "$SNAG" check a.yaml b.yaml a.yaml
  assert_failure 2
  assert_output "a.yaml: ok: 2 rules, mode inject
a.yaml: ok: 2 rules, mode inject"
  assert_regex "$stderr" '^b.yaml:4:17: error: '
}

@test "--merge: one policy of several files" {
  echo "$good" >a.yaml
  run --separate-stderr "$SNAG" check --merge a.yaml a.yaml
  assert_failure 2
  assert_regex "$stderr" "a.yaml:3:12: error: rules\[0\].name: another rule has this name"
  printf 'version: 1\nmode: log\n' >b.yaml
  run --separate-stderr "$SNAG" check --merge a.yaml b.yaml
  assert_success
  assert_output "a.yaml: ok: 2 rules, mode log
b.yaml: ok: 2 rules, mode log"
}

@test "an unreadable file and a missing one: exit 2" {
  run --separate-stderr "$SNAG" check nowhere.yaml
  assert_failure 2
  assert_equal "$stderr" "nowhere.yaml: error: cannot be read: No such file or directory"
  run --separate-stderr "$SNAG" check ./
  assert_failure 2
  assert_equal "$stderr" "./: error: cannot be read: Is a directory"
}

@test "arguments: --rule and --set, checked alike" {
  run --separate-stderr "$SNAG" check --rule 'bind port=8080 first=3: EADDRINUSE'
  assert_success
  assert_output "arguments: ok: 1 rule, mode inject"
  run --separate-stderr "$SNAG" check --rule 'bind: EADDRINUS' --rule 'bind prot=1: deny' --set kernel.somaxcon=2
  assert_failure 2
  assert_equal "$stderr" "--rule 1:7: error: unknown errno or action 'EADDRINUS'; did you mean EADDRINUSE?
--rule 2:6: error: prot: unknown key; did you mean proto?
--set 1:8: error: kernel.somaxcon: unknown key; did you mean somaxconn?"
}

@test "--print: a form that check accepts and prints again" {
  echo "$good" >a.yaml
  "$SNAG" check a.yaml --print --rule 'connect: delay=1000ms' --set 'rules.one.when.first=5' >b.yaml
  run --separate-stderr "$SNAG" check --print b.yaml
  assert_success
  assert_output "$(cat b.yaml)"
  assert_output --partial "when: {first: 5}"
  assert_output --partial "do: {delay: 1s}"
  run "$SNAG" check --print a.yaml b.yaml
  assert_failure 2
}

@test "warnings are no errors" {
  run --separate-stderr "$SNAG" check --rule 'accept role=client: EMFILE'
  assert_success
  assert_regex "$stderr" '^--rule 1:13: warning: match.role: is of no use'
}

@test "what is not built is refused by name" {
  printf 'version: 1\nexpect: [{exit: 0}]\n' >later.yaml
  run --separate-stderr "$SNAG" check later.yaml
  assert_failure 2
  assert_equal "$stderr" "later.yaml:2:1: error: expect: is not built yet; leave it out"
}

@test "shipped policies: all good, found by name" {
  for file in "$ROOT"/policies/*.yaml; do
    name=$(basename "$file" .yaml)
    run --separate-stderr "$SNAG" check "$name"
    assert_success
    assert_equal "$stderr" ""
  done
  run --separate-stderr "$SNAG" check no-such-policy
  assert_failure 2
  assert_regex "$stderr" 'no-such-policy: error: no shipped policy has this name; there are .*flaky-connect'
}

@test "usage: --help, nothing to check, unknown options" {
  run --separate-stderr "$SNAG" check --help
  assert_success
  assert_output --partial "--print"
  run --separate-stderr "$SNAG" check
  assert_failure 2
  assert_output ""
  run --separate-stderr "$SNAG" check --no-such-option
  assert_failure 2
  assert_regex "$stderr" "snag check: .snag check --help. lists the options$"
}

@test "schema: JSON, closed at the top level" {
  for kind in policy trace; do
    "$SNAG" schema $kind >$kind.json
    "$PYTHON" - "$kind.json" <<'PY'
import json, sys
schema = json.load(open(sys.argv[1]))
assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
assert schema["additionalProperties"] is False
assert all("description" in p for p in schema["properties"].values()), schema["properties"]
PY
  done
  run "$SNAG" schema
  assert_output "$(cat policy.json)"
  run --separate-stderr "$SNAG" schema no-such-schema
  assert_failure 2
}

# Where Python has the modules: schema and check agree on each of these.
@test "schema and check agree" {
  local python=none
  for python in "$PYTHON" python3 none; do
    "$python" -c 'import jsonschema, yaml' 2>/dev/null && break
  done
  [ "$python" != none ] || skip "python3-jsonschema and python3-yaml are not installed"
  "$SNAG" schema >policy.json
  cat >cases <<'CASES'
version: 1
version: 2
mode: log
{version: 1, mode: lag}
{version: 1, zeal: 2}
{version: 1, seed: -1}
{version: 1, rules: [{call: bind, do: {errno: EADDRINUSE}}]}
{version: 1, rules: [{call: bind, do: {errno: EADRINUSE}}]}
{version: 1, rules: [{call: [bind, connect], do: deny}]}
{version: 1, rules: [{call: bind, do: denied}]}
{version: 1, rules: [{call: "=accept4", do: {delay: 1.5s}}]}
{version: 1, rules: [{call: bind, do: {delay: 5}}]}
{version: 1, rules: [{call: bind, do: {}}]}
{version: 1, rules: [{call: bind, do: {signal: 9}}]}
{version: 1, rules: [{call: bind, do: {signal: SIGKILL}}]}
{version: 1, rules: [{call: bind}]}
{version: 1, rules: [{call: bind, do: deny, steps: [{do: deny}]}]}
{version: 1, rules: [{call: bind, match: {port: 8000..8099}, do: deny}]}
{version: 1, rules: [{call: bind, match: {port: [80, 443]}, do: deny}]}
{version: 1, rules: [{call: bind, match: {port: 80000}, do: deny}]}
{version: 1, rules: [{call: bind, match: {port: []}, do: deny}]}
{version: 1, rules: [{call: bind, match: {exe: 12}, do: deny}]}
{version: 1, rules: [{call: accept, match: {queue: ">=3"}, do: {errno: EMFILE}}]}
{version: 1, rules: [{call: bind, when: {chance: 5%}, do: deny}]}
{version: 1, rules: [{call: bind, when: {chance: 5}, do: deny}]}
{version: 1, rules: [{call: bind, when: {chance: 0.5}, do: deny}]}
{version: 1, rules: [{call: bind, when: {nth: 3..9+2}, do: deny}]}
{version: 1, rules: [{call: bind, when: {pulse: {active: 1s}}, do: deny}]}
{version: 1, rules: [{call: bind, match: {blocking: "true"}, do: deny}]}
{version: 1, endpoints: {"a b": {port: 1}}}
{version: 1, endpoints: {web: {port: 1, side: peer}}}
CASES
  "$python" - "$SNAG" <<'PY'
import json, subprocess, sys, yaml, jsonschema
schema = json.load(open("policy.json"))
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
for text in open("cases"):
    open("case.yaml", "w").write(text)
    check = subprocess.run([sys.argv[1], "check", "case.yaml"], capture_output=True, text=True)
    valid = validator.is_valid(yaml.safe_load(text))
    assert valid == (check.returncode == 0), (text, valid, check.stderr)
PY
}

@test "the reference page is what the tables say" {
  run "$SNAG" schema reference
  assert_success
  assert_equal "$output" "$(sed '1,/^<!-- snag schema reference/d' "$ROOT/policies/README.md")"
}
