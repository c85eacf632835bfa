/* policy.c - any bytes as a policy file: no crash, no leak, and what compiles is an image that readers trust. */
#include <compile/compile.h>
#include <policy/rules.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	static char path[32];
	const char *file = path;
	struct compile_input in = {.files = &file, .n_files = 1, .seed = "1"};
	struct compiled out;

	if (fd < 0) {
		fd = memfd_create("policy", 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	if (compile_policy(&in, &out, NULL) == 0 && rules_check(out.image, out.size))
		abort();
	compile_free(&out);
	return 0;
}
