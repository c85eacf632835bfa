/* event.c - a small HTTP server and client on libevent's evhttp.
 *
 * event serve PORT: answers /page with PAGE bytes and anything else with "pong".
 * event ask PORT MS PATH...: asks one after the other on one connection, each within MS; a line for each answer.
 * What the library itself warns of is on stderr; what it reports to its user is said with the errno's own words. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/util.h>

enum { PAGE = 100000 };

static struct event_base *base;

/* serve */

static void asked(struct evhttp_request *request, void *unused) {
	static char page[PAGE];
	(void)unused;
	struct evbuffer *body = evbuffer_new();
	if (strcmp(evhttp_request_get_uri(request), "/page") == 0) {
		memset(page, 'x', PAGE);
		evbuffer_add(body, page, PAGE);
	} else {
		evbuffer_add(body, "pong", 4);
	}
	evhttp_send_reply(request, 200, "OK", body);
	evbuffer_free(body);
}

static int serve(unsigned short port) {
	struct evhttp *http = evhttp_new(base);
	evhttp_set_gencb(http, asked, NULL);
	errno = 0;
	if (evhttp_bind_socket(http, "127.0.0.1", port)) {
		fprintf(stderr, "bind: %s\n", strerror(errno));
		return 1;
	}
	return event_base_dispatch(base);
}

/* ask */

static char **paths;
static struct evhttp_connection *client;
static int failed;

static void ask_next(void);

static void failure(enum evhttp_request_error error, void *unused) {
	static const char *const words[] = {
		[EVREQ_HTTP_TIMEOUT] = "timeout", [EVREQ_HTTP_EOF] = "end of file", [EVREQ_HTTP_INVALID_HEADER] = "invalid header",
		[EVREQ_HTTP_BUFFER_ERROR] = "buffer error", [EVREQ_HTTP_REQUEST_CANCEL] = "cancelled",
		[EVREQ_HTTP_DATA_TOO_LONG] = "too long",
	};
	(void)unused;
	fprintf(stderr, "ask: %s\n", words[error]);
}

static void answered(struct evhttp_request *request, void *unused) {
	(void)unused;
	if (!request || evhttp_request_get_response_code(request) == 0) {
		fprintf(stderr, "socket: %s\n", evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
		failed = 1;
		event_base_loopexit(base, NULL);
		return;
	}
	printf("%d %zu\n", evhttp_request_get_response_code(request), evbuffer_get_length(evhttp_request_get_input_buffer(request)));
	ask_next();
}

static void ask_next(void) {
	if (!*paths) {
		event_base_loopexit(base, NULL);
		return;
	}
	struct evhttp_request *request = evhttp_request_new(answered, NULL);
	evhttp_request_set_error_cb(request, failure);
	evhttp_add_header(evhttp_request_get_output_headers(request), "Host", "a");
	evhttp_make_request(client, request, EVHTTP_REQ_GET, *paths++);
}

static int ask(unsigned short port, int limit_ms) {
	struct timeval limit = {limit_ms / 1000, limit_ms % 1000 * 1000};
	client = evhttp_connection_base_new(base, NULL, "127.0.0.1", port);
	evhttp_connection_set_timeout_tv(client, &limit);
	ask_next();
	event_base_dispatch(base);
	evhttp_connection_free(client);
	return failed;
}

int main(int argc, char **argv) {
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	base = event_base_new();
	if (argc < 3 || !base)
		return 2;
	unsigned short port = (unsigned short)atoi(argv[2]);
	if (strcmp(argv[1], "serve") == 0)
		return serve(port);
	paths = argv + (argc > 3 ? 4 : 3);
	return ask(port, argc > 3 ? atoi(argv[3]) : 0);
}
