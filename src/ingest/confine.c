/* confine.c - see confine.h. The only file of the room that asks what system it is built for.
 *
 * Sources: landlock(7), seccomp(2), and the kernel's Documentation/userspace-api/landlock.rst.
 */
#include "ingest/confine.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* The sanitizers' shadow memory takes terabytes of address space: that limit is left out under them. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LIMITS_ADDRESS_SPACE 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LIMITS_ADDRESS_SPACE 0
#endif
#endif
#ifndef LIMITS_ADDRESS_SPACE
#define LIMITS_ADDRESS_SPACE 1
#endif

static bool limit(int what, int64_t most) {
    const struct rlimit l = {.rlim_cur = (rlim_t)most, .rlim_max = (rlim_t)most};
    return setrlimit(what, &l) == 0;
}

static Confined limits_set(const ConfineLimits *l) {
    Confined done = {0};
    (void)limit(RLIMIT_CORE, 0); /* a core file would hold the document */
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)limit(RLIMIT_FSIZE, 0);
    (void)limit(RLIMIT_CPU, l->cpu_s);
    if (LIMITS_ADDRESS_SPACE) done.memory = limit(RLIMIT_AS, l->memory);
#ifdef RLIMIT_NPROC
    (void)limit(RLIMIT_NPROC, 0);
#endif
    return done;
}

#ifdef __linux__

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* ---- files: Landlock ---- */

/* The kernel's struct of ABI 6; Debian's headers know the first member only. */
typedef struct {
    uint64_t files, net, scoped;
} Ruleset;

enum { ABI_NET = 4, ABI_SCOPED = 6 };

/* Every right there was with that ABI: what is handled and not granted is refused. */
static uint64_t file_rights(long abi) {
    static const unsigned bits[] = {0, 13, 14, 15, 15, 16};
    const size_t known = sizeof bits / sizeof *bits;
    return (1ull << bits[(size_t)abi < known ? (size_t)abi : known - 1]) - 1;
}

/* Reading and running below the system's folders; the loader's cache, fonts. What is not there needs no rule. */
static void grant_system(int ruleset) {
    static const char *const places[] = {"/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/fonts"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const int fd = open(places[i], O_PATH | O_CLOEXEC);
        if (fd < 0) continue;
        const uint64_t on_files = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE;
        struct landlock_path_beneath_attr rule = {.allowed_access = on_files | LANDLOCK_ACCESS_FS_READ_DIR,
                                                  .parent_fd = fd};
        if (syscall(__NR_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) {
            rule.allowed_access = on_files; /* a file: it has no entries to be read */
            (void)syscall(__NR_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
        }
        (void)close(fd);
    }
}

static bool files_close(ConfineKind kind) {
    const long abi = syscall(__NR_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1) return false;
    const Ruleset rules = {
        .files = file_rights(abi), .net = abi >= ABI_NET ? 3 : 0, .scoped = abi >= ABI_SCOPED ? 3 : 0};
    const size_t size = abi >= ABI_SCOPED ? sizeof rules
                        : abi >= ABI_NET  ? offsetof(Ruleset, scoped)
                                          : offsetof(Ruleset, net);
    const int fd = (int)syscall(__NR_landlock_create_ruleset, &rules, size, 0);
    if (fd < 0) return false;
    if (kind == CONFINE_PROGRAM) grant_system(fd);
    const bool done = syscall(__NR_landlock_restrict_self, fd, 0) == 0;
    (void)close(fd);
    return done;
}

/* ---- system calls: seccomp ---- */

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef THIS_ARCH

#define LOAD(field)      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, field))
#define ALLOW            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define REFUSE(err_no)   BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (err_no))
#define ON(number, then) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), then
/* The low word of the third argument: it stands first in memory, as both machines are little-endian. */
#define OWN_PID        0xfffffffeu /* replaced by it */
#define THIRD_ARGUMENT offsetof(struct seccomp_data, args[2])

/* Another machine's calls (32-bit ones; x32, which has a bit set) have other numbers: the process ends. */
#define X32_BIT 0x40000000u
#define KILL    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
#define CHECK_ARCH                                                                                                     \
    LOAD(arch), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 1, 0), KILL, LOAD(nr),                                  \
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1), KILL

/* What computing, reading what is open and writing to it take. Memory that is mapped may not be run. */
static const struct sock_filter reader_filter[] = {
    CHECK_ARCH,
    ON(__NR_read, ALLOW),
    ON(__NR_write, ALLOW),
    ON(__NR_readv, ALLOW),
    ON(__NR_writev, ALLOW),
    ON(__NR_pread64, ALLOW),
    ON(__NR_lseek, ALLOW),
    ON(__NR_fstat, ALLOW),
    ON(__NR_newfstatat, ALLOW),
    ON(__NR_close, ALLOW),
    ON(__NR_brk, ALLOW),
    ON(__NR_munmap, ALLOW),
    ON(__NR_mremap, ALLOW),
    ON(__NR_madvise, ALLOW),
    ON(__NR_futex, ALLOW),
    ON(__NR_rt_sigreturn, ALLOW),
    ON(__NR_rt_sigaction, ALLOW),
    ON(__NR_rt_sigprocmask, ALLOW),
    ON(__NR_sigaltstack, ALLOW),
    ON(__NR_exit, ALLOW),
    ON(__NR_exit_group, ALLOW),
    ON(__NR_getrandom, ALLOW),
    ON(__NR_clock_gettime, ALLOW),
    ON(__NR_getpid, ALLOW),
    ON(__NR_gettid, ALLOW),
    ON(__NR_sched_yield, ALLOW),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_mmap, 7, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_mprotect, 6, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_tgkill, 1, 0),
    REFUSE(EPERM),
    LOAD(args[0]), /* abort() signals the process itself; it may signal no other */
    ON(OWN_PID, ALLOW),
    REFUSE(EPERM),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)THIRD_ARGUMENT),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
    REFUSE(EPERM),
    ALLOW,
};

/* clone3 hides its flags in memory; without it the C library takes clone, which makes threads only. */
static const struct sock_filter program_filter[] = {
    CHECK_ARCH,
    ON(__NR_clone3, REFUSE(ENOSYS)),
#ifdef __NR_fork
    ON(__NR_fork, REFUSE(EPERM)),
    ON(__NR_vfork, REFUSE(EPERM)),
#endif
    ON(__NR_socket, REFUSE(EPERM)),
    ON(__NR_socketpair, REFUSE(EPERM)),
    ON(__NR_connect, REFUSE(EPERM)),
    ON(__NR_bind, REFUSE(EPERM)),
    ON(__NR_listen, REFUSE(EPERM)),
    ON(__NR_accept, REFUSE(EPERM)),
    ON(__NR_accept4, REFUSE(EPERM)),
    ON(__NR_sendto, REFUSE(EPERM)),
    ON(__NR_sendmsg, REFUSE(EPERM)),
    ON(__NR_sendmmsg, REFUSE(EPERM)),
    ON(__NR_io_uring_setup, REFUSE(EPERM)),
    ON(__NR_ptrace, REFUSE(EPERM)),
    ON(__NR_process_vm_readv, REFUSE(EPERM)),
    ON(__NR_process_vm_writev, REFUSE(EPERM)),
    ON(__NR_pidfd_getfd, REFUSE(EPERM)),
    ON(__NR_kill, REFUSE(EPERM)),
    ON(__NR_tkill, REFUSE(EPERM)),
    ON(__NR_pidfd_send_signal, REFUSE(EPERM)),
    ON(__NR_mount, REFUSE(EPERM)),
    ON(__NR_umount2, REFUSE(EPERM)),
    ON(__NR_pivot_root, REFUSE(EPERM)),
    ON(__NR_chroot, REFUSE(EPERM)),
    ON(__NR_setns, REFUSE(EPERM)),
    ON(__NR_unshare, REFUSE(EPERM)),
    ON(__NR_open_by_handle_at, REFUSE(EPERM)),
    ON(__NR_bpf, REFUSE(EPERM)),
    ON(__NR_perf_event_open, REFUSE(EPERM)),
    ON(__NR_userfaultfd, REFUSE(EPERM)),
    ON(__NR_keyctl, REFUSE(EPERM)),
    ON(__NR_add_key, REFUSE(EPERM)),
    ON(__NR_request_key, REFUSE(EPERM)),
    ON(__NR_init_module, REFUSE(EPERM)),
    ON(__NR_finit_module, REFUSE(EPERM)),
    ON(__NR_delete_module, REFUSE(EPERM)),
    ON(__NR_kexec_load, REFUSE(EPERM)),
    ON(__NR_reboot, REFUSE(EPERM)),
    ON(__NR_swapon, REFUSE(EPERM)),
    ON(__NR_sethostname, REFUSE(EPERM)),
    ON(__NR_settimeofday, REFUSE(EPERM)),
    ON(__NR_clock_settime, REFUSE(EPERM)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone, 1, 0),
    ALLOW,
    LOAD(args[0]),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1),
    ALLOW,
    REFUSE(EPERM),
};

static bool calls_close(ConfineKind kind) {
    const bool reader = kind == CONFINE_READER;
    struct sock_filter own[sizeof reader_filter / sizeof *reader_filter];
    memcpy(own, reader_filter, sizeof own);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (own[i].k == OWN_PID) own[i].k = (uint32_t)getpid();
    const struct sock_fprog filter = {.len = (unsigned short)(reader ? sizeof reader_filter / sizeof *reader_filter
                                                                     : sizeof program_filter / sizeof *program_filter),
                                      .filter = reader ? own : (struct sock_filter *)(uintptr_t)program_filter};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

#else
static bool calls_close(ConfineKind kind) { return (void)kind, false; }
#endif

Confined confine_self(const ConfineLimits *limits) {
    (void)syscall(__NR_close_range, 3u, ~0u, 0u);
    (void)prctl(PR_SET_PDEATHSIG, 9); /* who waits for the answer is gone: so are we */
    (void)prctl(PR_SET_DUMPABLE, 0);
    const bool no_more_rights = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    Confined done = limits_set(limits);
    done.files = no_more_rights && files_close(limits->kind);
    done.calls = no_more_rights && calls_close(limits->kind);
    return done;
}

#else

Confined confine_self(const ConfineLimits *limits) {
    for (int fd = 3; fd < 1024; fd++) (void)close(fd);
    return limits_set(limits);
}

#endif
