// inject: runs a program and makes some of its system calls fail. It sees every call on files
// below a folder, from Go and from C++ alike: the kernel asks it about each one (seccomp user
// notification, Linux 5.19 and later; it needs no privileges).
//
//   inject FOLDER CALLS ACTION FIRST LAST COUNT PROGRAM ...
//
// CALLS is a letter: w for writing data, s for syncing, o for opening, n for making, renaming
// and removing names. The calls of this kind are counted from 1; those from FIRST to LAST get
// ACTION: the number of an error, short (half of the data is written) or kill (SIGKILL). How
// many there were is written to the file COUNT. Exits as the program does, with 128 + N after
// signal N.
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Which argument of a call is the path (and the folder that it is relative to) or the open file.
static const struct call {
	int number;
	char kind;
	int path, folder, file; // -1: none
} calls[] = {
	{SYS_write, 'w', -1, -1, 0}, {SYS_pwrite64, 'w', -1, -1, 0}, {SYS_writev, 'w', -1, -1, 0},
	{SYS_sendfile, 'w', -1, -1, 0}, {SYS_copy_file_range, 'w', -1, -1, 2},
	{SYS_ftruncate, 'w', -1, -1, 0}, {SYS_fallocate, 'w', -1, -1, 0},
	{SYS_fsync, 's', -1, -1, 0}, {SYS_fdatasync, 's', -1, -1, 0},
	{SYS_open, 'o', 0, -1, -1}, {SYS_openat, 'o', 1, 0, -1}, {SYS_creat, 'o', 0, -1, -1},
	{SYS_mkdir, 'n', 0, -1, -1}, {SYS_mkdirat, 'n', 1, 0, -1},
	{SYS_rename, 'n', 1, -1, -1}, {SYS_renameat, 'n', 3, 2, -1}, {SYS_renameat2, 'n', 3, 2, -1},
	{SYS_link, 'n', 1, -1, -1}, {SYS_linkat, 'n', 3, 2, -1},
	{SYS_symlink, 'n', 1, -1, -1}, {SYS_symlinkat, 'n', 2, 1, -1},
	{SYS_unlink, 'n', 0, -1, -1}, {SYS_unlinkat, 'n', 1, 0, -1}, {SYS_rmdir, 'n', 0, -1, -1},
};
enum { CALLS = sizeof calls / sizeof *calls };

// listen makes the kernel ask about calls of a kind. It returns where to hear the questions.
static int listen_to(char kind) {
	struct sock_filter code[2 * CALLS + 5] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	int n = 4;
	for (const struct call *c = calls; c < calls + CALLS; c++) {
		if (c->kind != kind) continue;
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)c->number, 0, 1);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = {(unsigned short)n, code};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return -1;
	long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | (1 << 5); // WAIT_KILLABLE_RECV: no call is asked about twice
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

// target writes the path that a call is about.
static void target(const struct call *c, const struct seccomp_notif *asked, int memory, char *path, size_t size) {
	char base[64], text[4096] = "";
	const __u64 *args = asked->data.args;
	snprintf(base, sizeof base, "/proc/%d/cwd", asked->pid);
	if (c->path >= 0 && pread(memory, text, sizeof text - 1, (off_t)args[c->path]) < 1) *text = 0;
	int file = c->file >= 0 ? (int)args[c->file] : c->folder >= 0 ? (int)args[c->folder] : AT_FDCWD;
	if (file != AT_FDCWD) snprintf(base, sizeof base, "/proc/%d/fd/%d", asked->pid, file);
	ssize_t n = *text == '/' ? 0 : readlink(base, path, size - 1);
	snprintf(path + (n > 0 ? n : 0), size - (size_t)(n > 0 ? n : 0), "%s%s", n > 0 && *text ? "/" : "", text);
}

// half writes the first half of what write was asked to, and returns its length.
static long half(const struct seccomp_notif *asked, int memory, int process) {
	size_t size = asked->data.args[2] / 2;
	char *data = malloc(size + 1);
	int file = (int)syscall(SYS_pidfd_getfd, process, (int)asked->data.args[0], 0);
	if (!data || file < 0 || pread(memory, data, size, (off_t)asked->data.args[1]) != (ssize_t)size) err(125, "half");
	long n = asked->data.nr == SYS_pwrite64 ? pwrite(file, data, size, (off_t)asked->data.args[3]) : write(file, data, size);
	close(file), free(data);
	return n;
}

static struct { const char *folder, *action; long first, last, count; int process; pid_t child; } want;

static void answer(const struct seccomp_notif *asked, struct seccomp_notif_resp *reply) {
	char name[64], path[8192] = "";
	reply->id = asked->id, reply->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	const struct call *c = calls;
	while (c->number != asked->data.nr) c++;
	snprintf(name, sizeof name, "/proc/%d/mem", asked->pid);
	int memory = open(name, O_RDONLY);
	target(c, asked, memory, path, sizeof path);
	size_t n = strlen(want.folder);
	if (!strncmp(path, want.folder, n) && (path[n] == '/' || !path[n]) && ++want.count >= want.first && want.count <= want.last) {
		int plain = asked->data.nr == SYS_write || asked->data.nr == SYS_pwrite64;
		if (getenv("INJECT_VERBOSE")) fprintf(stderr, "inject: %ld: call %d on %s\n", want.count, asked->data.nr, path);
		if (!strcmp(want.action, "kill")) kill(want.child, SIGKILL);
		else if (strcmp(want.action, "short")) reply->flags = 0, reply->error = -atoi(want.action);
		else if (plain && asked->data.args[2] > 1) reply->flags = 0, reply->val = half(asked, memory, want.process);
	}
	if (memory >= 0) close(memory);
}

int main(int argc, char **argv) {
	if (argc < 8) errx(125, "usage: inject FOLDER CALLS ACTION FIRST LAST COUNT PROGRAM ...");
	want.folder = argv[1], want.action = argv[3], want.first = atol(argv[4]), want.last = atol(argv[5]);
	int *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || (want.child = fork()) < 0) err(125, "fork");
	if (!want.child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if ((*shared = listen_to(*argv[2])) < 0) err(125, "seccomp");
		raise(SIGSTOP);
		execvp(argv[7], argv + 7);
		_exit(127);
	}
	int status = 0;
	if (waitpid(want.child, &status, WUNTRACED) < 0 || !WIFSTOPPED(status)) return 125;
	want.process = (int)syscall(SYS_pidfd_open, want.child, 0);
	int listener = (int)syscall(SYS_pidfd_getfd, want.process, *shared, 0);
	if (listener < 0) err(125, "pidfd_getfd");
	kill(want.child, SIGCONT);
	struct pollfd events[] = {{listener, POLLIN, 0}, {want.process, POLLIN, 0}};
	while (poll(events, 2, -1) >= 0 || errno == EINTR) {
		struct seccomp_notif asked = {0};
		struct seccomp_notif_resp reply = {0};
		if (events[0].revents & POLLIN && !ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked)) {
			answer(&asked, &reply);
			ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply);
		} else if (events[1].revents) break;
	}
	waitpid(want.child, &status, 0);
	FILE *count = fopen(argv[6], "w");
	if (!count || fprintf(count, "%ld\n", want.count) < 0 || fclose(count)) err(125, "%s", argv[6]);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
