/* uv.c - a small HTTP server and client on libuv, with nothing of their own between the library and its user.
 *
 * uv serve PORT: answers /page with PAGE bytes and anything else with "pong", and keeps its connections.
 * uv ask PORT MS PATH...: asks one after the other on one connection, each within MS; a line for each answer.
 * What the library reports is said in its own words (uv_strerror). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { PAGE = 100000, HEAD = 200 };

static char page[HEAD + PAGE];
static char pong[HEAD];
static size_t page_len, pong_len;

static void said(const char *what, int error) {
	fprintf(stderr, "%s: %s\n", what, uv_strerror(error));
}

static void allocate(uv_handle_t *handle, size_t size, uv_buf_t *buf) {
	(void)handle;
	*buf = uv_buf_init(malloc(size), (unsigned)size);
}

static void closed(uv_handle_t *handle) {
	free(handle);
}

static void end(uv_stream_t *stream) {
	if (!uv_is_closing((uv_handle_t *)stream))
		uv_close((uv_handle_t *)stream, closed);
}

/* serve */

static void answered(uv_write_t *write, int status) {
	if (status < 0 && status != UV_ECANCELED) {
		said("write", status);
		end(write->handle);
	}
	free(write);
}

static void asked(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
	if (n < 0) {
		if (n != UV_EOF)
			said("read", (int)n);
		end(stream);
	} else if (n > 0) {
		int big = n > 9 && memcmp(buf->base, "GET /page", 9) == 0;
		uv_buf_t out = uv_buf_init(big ? page : pong, (unsigned)(big ? page_len : pong_len));
		uv_write_t *write = malloc(sizeof *write);
		int error = uv_write(write, stream, &out, 1, answered);
		if (error)
			said("write", error);
	}
	free(buf->base);
}

static void arrived(uv_stream_t *server, int status) {
	if (status < 0) {
		said("accept", status);
		return;
	}
	uv_tcp_t *stream = malloc(sizeof *stream);
	uv_tcp_init(server->loop, stream);
	int error = uv_accept(server, (uv_stream_t *)stream);
	if (!error)
		error = uv_read_start((uv_stream_t *)stream, allocate, asked);
	if (error) {
		said("accept", error);
		end((uv_stream_t *)stream);
	}
}

static int serve(uv_loop_t *loop, const struct sockaddr *addr) {
	page_len = (size_t)snprintf(page, HEAD, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", PAGE);
	memset(page + page_len, 'x', PAGE);
	page_len += PAGE;
	pong_len = (size_t)snprintf(pong, HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npong");

	static uv_tcp_t server;
	uv_tcp_init(loop, &server);
	int error = uv_tcp_bind(&server, addr, 0);
	if (!error)
		error = uv_listen((uv_stream_t *)&server, 128, arrived);
	if (error) {
		said("listen", error);
		return 1;
	}
	return uv_run(loop, UV_RUN_DEFAULT);
}

/* ask */

static char **paths;
static unsigned limit_ms;
static size_t got, wanted;
static char head[HEAD];
static int failed;
static uv_timer_t clock_;
static uv_tcp_t client;

static void stop(const char *what, int error) {
	if (error) {
		said(what, error);
		failed = 1;
	}
	uv_close((uv_handle_t *)&clock_, NULL);
	uv_close((uv_handle_t *)&client, NULL);
}

static void too_late(uv_timer_t *timer) {
	(void)timer;
	stop("ask", UV_ETIMEDOUT);
}

static void sent(uv_write_t *write, int status) {
	if (status < 0 && status != UV_ECANCELED && !uv_is_closing((uv_handle_t *)&client))
		stop("write", status);
	free(write);
}

static void ask_next(void) {
	if (!*paths) {
		stop(NULL, 0);
		return;
	}
	static char text[HEAD];
	uv_buf_t out = uv_buf_init(text, (unsigned)snprintf(text, HEAD, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", *paths++));
	got = wanted = 0;
	uv_timer_start(&clock_, too_late, limit_ms, 0);
	uv_write(malloc(sizeof(uv_write_t)), (uv_stream_t *)&client, &out, 1, sent);
}

/* The head fits the first HEAD bytes; the answer ends where its Content-Length says. */
static void take(const char *bytes, size_t n) {
	if (got < HEAD - 1)
		memcpy(head + got, bytes, n < HEAD - 1 - got ? n : HEAD - 1 - got);
	got += n;
	const char *body = strstr(head, "\r\n\r\n"), *length = strstr(head, "Content-Length: ");
	if (!wanted && body && length)
		wanted = (size_t)(body + 4 - head) + strtoul(length + 16, NULL, 10);
}

static void heard(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
	(void)stream;
	if (n > 0)
		take(buf->base, (size_t)n);
	free(buf->base);
	if (n < 0) {
		stop("read", (int)n);
	} else if (wanted && got >= wanted) {
		printf("200 %lu\n", strtoul(strstr(head, "Content-Length: ") + 16, NULL, 10));
		memset(head, 0, sizeof head);
		ask_next();
	}
}

static void connected(uv_connect_t *connect, int status) {
	(void)connect;
	if (status == UV_ECANCELED)
		return;
	if (status < 0) {
		stop("connect", status);
		return;
	}
	uv_read_start((uv_stream_t *)&client, allocate, heard);
	ask_next();
}

static int ask(uv_loop_t *loop, const struct sockaddr *addr) {
	static uv_connect_t connect;
	uv_timer_init(loop, &clock_);
	uv_timer_start(&clock_, too_late, limit_ms, 0);
	uv_tcp_init(loop, &client);
	int error = uv_tcp_connect(&connect, &client, addr, connected);
	if (error)
		stop("connect", error);
	uv_run(loop, UV_RUN_DEFAULT);
	return failed;
}

int main(int argc, char **argv) {
	struct sockaddr_in addr;
	uv_loop_t *loop = uv_default_loop();
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	if (argc < 3 || uv_ip4_addr("127.0.0.1", atoi(argv[2]), &addr))
		return 2;
	if (strcmp(argv[1], "serve") == 0)
		return serve(loop, (struct sockaddr *)&addr);
	limit_ms = argc > 3 ? (unsigned)atoi(argv[3]) : 0;
	paths = argv + (argc > 3 ? 4 : 3);
	return ask(loop, (struct sockaddr *)&addr);
}
