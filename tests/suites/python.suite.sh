# CPython's own tests of everything that opens sockets. VSOCK hangs where a machine has no host that answers.
# shellcheck shell=bash disable=SC2154,SC2034

python=/usr/bin/python3
"$python" -c 'import test.test_socket' 2>/dev/null || { skip python "install libpython3-testsuite"; return 0; }
mkdir -p "$work/python" && cd "$work/python" || return
for test in socket socketserver selectors epoll httplib httpservers ftplib smtplib poplib imaplib telnetlib xmlrpc \
  urllib2_localnet wsgiref asyncore asynchat ssl docxmlrpc logging multiprocessing_fork asyncio; do
  "$python" -c "import test.test_$test" 2>/dev/null || continue
  play "python/$test" -- "$python" -m test -i '*VSOCK*' "test_$test"
done
