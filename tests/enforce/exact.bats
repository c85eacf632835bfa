#!/usr/bin/env bats
# What a virtual kernel whose answers depend on ports asks of the machine, without --audit.

load ../helper

setup() {
  requires python3 jq
  setup_work
}

teardown() {
  teardown_work
}

# under KEY=VALUE -- PYTHON: runs the python text under such a `kernel:`, traced.
under() {
  run timeout 60 "$SNAG" run -q --set "kernel.$1" -o "$WORK/trace.jsonl" -- "$PYTHON" -c "
import errno, socket
def name(f, *a):
    try: f(*a); return 'ok'
    except OSError as e: return errno.errorcode[e.errno]
$3" 3>&-
}

# What the model foretold of these calls, each kind of answer once.
foretold() {
  jq -r 'select(.call == ("connect", "accept", "accept4", "shutdown")) | .call + " " + .model' "$WORK/trace.jsonl" | sort -u
}

@test "connect, accept and shutdown inside the session are foretold" {
  under ip_local_port_range=40000..40999 -- "
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(8)
for i in range(3):
    c = socket.create_connection(s.getsockname()); a, _ = s.accept()
    a.shutdown(socket.SHUT_WR); a.close(); c.close()"
  assert_success
  run foretold
  assert_output "accept4 ok
connect ok
shutdown ok"
}

@test "a limit that has nothing to do with ports asks nothing" {
  under open_files=100 -- "
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(8)
c = socket.create_connection(s.getsockname())"
  assert_success
  run foretold
  assert_output "connect unknown"
}

@test "privileged: an address that is not local comes before the port over IPv4, and after it over IPv6" {
  requires_netns
  run "${NETNS[@]}" timeout 60 "$SNAG" run -q --set kernel.privileged=false -- "$PYTHON" -c "
import errno, socket
def bind(family, *address):
    with socket.socket(family) as s:
        try: s.bind(address); return 'ok'
        except OSError as e: return errno.errorcode[e.errno]
print(bind(socket.AF_INET, '198.51.100.1', 80), bind(socket.AF_INET, '127.0.0.1', 80))
print(bind(socket.AF_INET6, '2001:db8::1', 80), bind(socket.AF_INET6, 'ff02::1', 80))"
  assert_success
  assert_output "EADDRNOTAVAIL EACCES
EACCES EINVAL"
}
