// What border.c carries out, and what is said when it goes wrong.

#include <portbook.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

enum type {
    T_none, T_portbook_book, T_portbook_book_copy, T_portbook_host_keys, T_portbook_session, T_portbook_conduit, T_portbook_preview,
    T_portbook_run, T_portbook_progress_watch, T_portbook_volume, T_portbook_file_reader, T_portbook_host_store,
    T_portbook_definition, T_portbook_host_records,
};

struct taken { void *handle; int at; };
struct piece { const uint8_t *bytes; size_t length; };

// The handles that a program was given, in their order.
static struct { _Atomic(void *) handle; enum type type; atomic_bool is_freed; } given[64];
static atomic_uint given_count;

// What a thread of the program does at present: who looks after it sees a call that does not return.
struct program {
    const uint8_t *at, *end;
    int no_outputs, no_error, is_dead;
    char last_id[80];
    int64_t last_request;
    char text[4][512];
    int texts;
    pthread_t thread;
    // From here on it stays from one program to the next: who looks at the count would take the calls of two for one.
    const char *_Atomic name;
    // Odd: it is in a call.
    atomic_uint call;
};
static struct program programs[4];
static atomic_uint program_count, has_ended;
static int says;
static unsigned turn;

static const char *name_of(const struct program *p) { return p->name ? p->name : "nothing yet"; }

static void say_fault(const struct program *p, const char *what) {
    say("FAULT: %s: %s; program %u of process %d", name_of(p), what, turn, (int)getpid());
    for (unsigned i = 0; i < 4; i++)
        if (atomic_load(&programs[i].call) % 2) say("    under way in thread %u: %s", i, name_of(&programs[i]));
}

static _Noreturn void fail(const struct program *p, const char *what) {
    say_fault(p, what);
    signal(SIGABRT, SIG_DFL);
    abort();
}

// What ends the process by itself, as an `abort` in the library, says so too.
static void signalled(int number) {
    say_fault(programs, strsignal(number));
    signal(number, SIG_DFL);
    raise(number);
}

static void tell_of_signals(void) {
    static const int numbers[] = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction old;
        // A sanitizer that listens knows more.
        if (!sigaction(numbers[i], NULL, &old) && old.sa_handler == SIG_DFL) signal(numbers[i], signalled);
    }
}
