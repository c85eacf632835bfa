/* asking - uses snag.h: says whether it is watched, leaves a mark, and reads the counts of the rule `r`. */
#include "../../include/snag/snag.h"
#include "target.h"

int main(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	printf("%s\n", snag_active() ? "watched" : "alone");
	snag_mark("half \"way\"");
	for (int i = 0; i < 3; i++) {
		int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
		printf("%d\n", bind(fd, (struct sockaddr *)&a, sizeof(a)));
		close(fd);
	}
	printf("matched %ld, fired %ld, unknown %d\n", snag_matched("r"), snag_fired("r"), snag_matched("no such rule") < 0);
	return 0;
}
