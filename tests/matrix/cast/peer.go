// peer.go - a peer in Go, which makes its own system calls and so is never in a session: what it meets is real.
//
//	peer ask PORT MS PATH...   net/http asks for each path on a kept connection, each within MS
//	peer dial PORT MS          a connection and nothing else
//	peer serve FILE            writes its port into FILE, and answers; says how each connection ended
//
// Errors are said in Go's own words.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

func within(ms string) time.Duration {
	n, _ := strconv.Atoi(ms)
	return time.Duration(n) * time.Millisecond
}

func ask(port, ms string, paths []string) {
	client := http.Client{Timeout: within(ms)}
	for _, path := range paths {
		answer, err := client.Get("http://127.0.0.1:" + port + path)
		if err != nil {
			fmt.Println(err)
			continue
		}
		n, err := io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		fmt.Println(answer.StatusCode, n, err)
	}
}

func dial(port, ms string) {
	conn, err := net.DialTimeout("tcp", "127.0.0.1:"+port, within(ms))
	if err != nil {
		fmt.Println(err)
		return
	}
	conn.SetReadDeadline(time.Now().Add(within(ms)))
	_, err = conn.Read(make([]byte, 1))
	fmt.Println(err)
}

func answer(conn net.Conn) {
	defer conn.Close()
	page := strings.Repeat("x", 100000)
	in := bufio.NewReader(conn)
	for {
		request, err := http.ReadRequest(in)
		if err != nil {
			fmt.Println(err)
			return
		}
		body := "pong"
		if request.URL.Path == "/page" {
			body = page
		}
		_, err = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		fmt.Println(request.URL.Path, err)
	}
}

func serve(file string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	os.WriteFile(file+".new", []byte(port), 0o600)
	os.Rename(file+".new", file)
	for {
		conn, err := listener.Accept()
		if err != nil {
			fmt.Println(err)
			return
		}
		go answer(conn)
	}
}

func main() {
	switch os.Args[1] {
	case "ask":
		ask(os.Args[2], os.Args[3], os.Args[4:])
	case "dial":
		dial(os.Args[2], os.Args[3])
	case "serve":
		serve(os.Args[2])
	}
}
