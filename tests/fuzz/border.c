// Any bytes, as calls of the C ABI. Whatever they are, every call returns in time, with a code of the table that is not `internal`,
// with words or with outputs, and nothing crashes.
//
// The bytes are a program of steps. A step begins with a byte:
//
//   0 … 0xEF   the call of that number in calls.txt (counted from 0); its operands follow in the order of its parameters
//   0xF0 n     the next n bytes are a program, which another thread carries out beside the rest
//   0xF1       the next call is given null for its outputs
//   0xF2       the next call is given null for its error
//
// and an operand is
//
//   a handle   0 … 0x7F: the handle that was given out so many handles ago, whatever its type, freed or not;
//              0x80 … 0xEF: the last one of the type that is wanted; 0xF0: null; above: a number that no handle has
//   a text     0 … 0x7F: that line of texts.txt (counted from 0); 0x80 n: the next n bytes as they are; 0x81: the last id that the
//              library gave; above: null
//   bytes      0 … 0xEF: so many of the next bytes; above: so many at null
//   a number   0 … 0x7F: itself; 0x80: that of the last request; above: one of the table `numbers`
//
// A call that waits for what nobody does is ended after a while as a host would: runs are cancelled, host stores and books end.
//
//   border FILE...          carries out each file and says "N programs, no fault"; SAY=1 shows their calls
//
// A fault says on stderr, and at the end of the file that FUZZ_LOG names, what was found of which call: "FAULT: …". What hinders this
// program itself says "GAVE UP: …" there, and ends it by the exit status 3, which AFL++ takes for no fault.
//
// Built with afl-clang-fast it is what AFL++ runs (tests/fuzz/run).

#include "ground.h"
#include "program.h"
#include "patience.h"

// Where the program is, once it has a book to be opened; and a book with its schema, to be copied: making one takes longer than all
// that is done with it.
static pthread_mutex_t ground = PTHREAD_MUTEX_INITIALIZER;
static int has_ground;
static char *book_bytes;
static size_t book_length;

#ifdef __AFL_FUZZ_TESTCASE_LEN
__AFL_FUZZ_INIT();
#endif

#define POISON ((void *)~(uintptr_t)0)
#define STEPS 64

// The operands.

static uint8_t byte(struct program *p) { return p->at < p->end ? *p->at++ : 0xFF; }

static const char *known_text(unsigned number);

static struct taken handle(struct program *p, enum type type) {
    uint8_t b = byte(p);
    int count = (int)atomic_load(&given_count), at = -1;
    if (b < 0x80) at = count - 1 - b;
    else if (b < 0xF0)
        for (at = count - 1; at >= 0 && given[at].type != type; at--) continue;
    struct taken taken = {b > 0xF0 ? (void *)(uintptr_t)(b | 1) : NULL, at};
    if (at >= 0) taken.handle = atomic_load(&given[at].handle);
    // Who gives nothing, what is freed, or another type, is told so.
    if (at < 0 || given[at].type != type || atomic_load(&given[at].is_freed)) p->is_dead = 1;
    return taken;
}

static const char *text(struct program *p) {
    uint8_t b = byte(p);
    char *into = p->text[p->texts++ % 4];
    if (b < 0x80) return known_text(b);
    if (b == 0x81) return memcpy(into, p->last_id, sizeof p->last_id);
    if (b > 0x81) return NULL;
    size_t length = byte(p), left = (size_t)(p->end - p->at);
    if (length > left) length = left;
    memcpy(into, p->at, length);
    p->at += length;
    into[length] = 0;
    return into;
}

static struct piece piece(struct program *p) {
    uint8_t b = byte(p);
    size_t left = (size_t)(p->end - p->at), length = b;
    if (b > 0xEF) return (struct piece){NULL, b};
    if (length > left) length = left;
    p->at += length;
    return (struct piece){p->at - length, length};
}

static int64_t number_of(struct program *p) {
    static const int64_t numbers[] = {-1, 1000, 1001, INT32_MAX, INT32_MIN, UINT32_MAX, (1LL << 53) - 1, 1LL << 53, INT64_MAX, INT64_MIN};
    uint8_t b = byte(p);
    if (b < 0x80) return b;
    return b == 0x80 ? p->last_request : numbers[b % (sizeof numbers / sizeof *numbers)];
}

// What comes of a call.

static void begin(struct program *p, const char *name) {
    p->name = name;
    if (says) fprintf(stderr, "%s%s%s\n", p == programs ? "" : "    beside: ", name, p->is_dead ? " (dead)" : "");
    pthread_mutex_lock(&ground);
    if (!has_ground && strstr(name, "_book_open")) {
        begin_ground(turn, book_bytes, book_length);
        has_ground = 1;
    }
    pthread_mutex_unlock(&ground);
    atomic_fetch_add(&p->call, 1);
}

static void done(struct program *p) { atomic_fetch_add(&p->call, 1); }

static int is_utf8(const char *text) {
    for (const uint8_t *at = (const uint8_t *)text; *at;) {
        int more = *at < 0x80 ? 0 : *at >= 0xC2 && *at < 0xE0 ? 1 : *at >= 0xE0 && *at < 0xF0 ? 2 : *at >= 0xF0 && *at < 0xF5 ? 3 : 9;
        for (at++; more > 0; more--, at++)
            if (more == 9 || (*at & 0xC0) != 0x80) return 0;
    }
    return 1;
}

static void judge(struct program *p, portbook_code code, char *error, int has_outputs) {
    if (says) fprintf(stderr, "    %s%s%s\n", portbook_code_text(code), error ? ": " : "", error ? error : "");
    if (code == PORTBOOK_INTERNAL || !portbook_code_text(code)) fail(p, error ? error : "internal");
    if (code <= 0 && error) fail(p, "words without an error");
    if (code > 0 && !p->no_error && (!error || !*error || !is_utf8(error))) fail(p, "an error without words");
    // `is_dead` was looked at before the call, and what is dead stays so.
    if (code != PORTBOOK_INVALID && (p->is_dead || (p->no_outputs && has_outputs))) fail(p, "not refused");
    portbook_text_free(error);
}

static void took_text(struct program *p, portbook_code code, char *text) {
    if (text == POISON || (code != PORTBOOK_OK && text)) fail(p, "an output of what failed");
    if (!text) return;
    if (!is_utf8(text)) fail(p, "a text that is not UTF-8");
    const char *id = strstr(text, "\"id\":\""), *request = strstr(text, "\"id\":");
    size_t length = id ? strcspn(id += 6, "\"") : strcspn(id = text, "{[");
    if (length && length < sizeof p->last_id) snprintf(p->last_id, sizeof p->last_id, "%.*s", (int)length, id);
    if (request) p->last_request = atoll(request + 5);
    portbook_text_free(text);
}

static void took_bytes(struct program *p, portbook_code code, uint8_t *bytes, size_t length) {
    if (bytes == POISON || (code != PORTBOOK_OK && (bytes || length))) fail(p, "bytes of what failed");
    portbook_bytes_free(bytes, length);
}

static void took_number(struct program *p, portbook_code code, int64_t number) {
    if (code != PORTBOOK_OK && number) fail(p, "a number of what failed");
}

static void free_handle(void *handle, enum type type);

static void took_handle(struct program *p, portbook_code code, void *handle, enum type type) {
    if (handle == POISON || (code == PORTBOOK_OK) != (handle != NULL)) fail(p, "a handle of what failed, or none");
    if (!handle) return;
    static pthread_mutex_t giving = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&giving);
    unsigned at = atomic_load(&given_count);
    int is_full = at == sizeof given / sizeof *given;
    if (!is_full) {
        given[at].type = type;
        atomic_store(&given[at].is_freed, false);
        atomic_store(&given[at].handle, handle);
        // Whoever counts it finds it whole.
        atomic_store(&given_count, at + 1);
    }
    pthread_mutex_unlock(&giving);
    if (is_full) free_handle(handle, type);
}

static void freed(struct program *p, struct taken taken, enum type type) {
    (void)p;
    if (taken.at >= 0 && given[taken.at].type == type) atomic_store(&given[taken.at].is_freed, true);
}

#include "calls.inc"

static void free_handle(void *handle, enum type type) {
    switch (type) {
    case T_portbook_book: portbook_book_shutdown(handle, NULL), portbook_book_free(handle); break;
    case T_portbook_book_copy: portbook_book_copy_free(handle); break;
    case T_portbook_host_keys: portbook_host_keys_free(handle); break;
    case T_portbook_session: portbook_session_free(handle); break;
    case T_portbook_conduit: portbook_conduit_free(handle); break;
    case T_portbook_preview: portbook_preview_free(handle); break;
    case T_portbook_run: portbook_run_free(handle); break;
    case T_portbook_progress_watch: portbook_progress_watch_free(handle); break;
    case T_portbook_volume: portbook_volume_free(handle); break;
    case T_portbook_file_reader: portbook_file_reader_free(handle); break;
    case T_portbook_host_store: portbook_host_store_free(handle); break;
    case T_portbook_definition: portbook_definition_free(handle); break;
    case T_portbook_host_records: portbook_host_records_free(handle); break;
    case T_none: break;
    }
}

// Has everything end that somebody could wait for.
static void end_everything(void) {
    unsigned count = atomic_load(&given_count);
    for (int is_last = 0; is_last < 2; is_last++)
        for (unsigned i = 0; i < count; i++) {
            void *handle = atomic_load(&given[i].handle);
            enum type type = given[i].type;
            if (!is_last && type == T_portbook_run) portbook_run_cancel(handle);
            if (!is_last && type == T_portbook_book_copy) portbook_book_copy_cancel(handle);
            if (!is_last && type == T_portbook_host_store) portbook_host_store_shutdown(handle);
            if (!is_last && type == T_portbook_host_records) portbook_host_records_shutdown(handle);
            if (!is_last && type == T_portbook_host_keys) portbook_host_keys_shutdown(handle);
            if (is_last && type == T_portbook_book) portbook_book_shutdown(handle, NULL);
        }
}

static void *carry_out(void *of) {
    struct program *p = of;
    for (int step = 0; step < STEPS && p->at < p->end && !atomic_load(&has_ended); step++) {
        uint8_t b = byte(p);
        if (b == 0xF0) {
            size_t length = byte(p), left = (size_t)(p->end - p->at);
            if (length > left) length = left;
            unsigned beside = p == programs ? atomic_load(&program_count) : 4;
            if (beside < 4) {
                struct program *other = &programs[beside];
                other->at = p->at, other->end = p->at + length;
                memcpy(other->last_id, p->last_id, sizeof p->last_id);
                atomic_store(&program_count, beside + 1);
                if (pthread_create(&other->thread, NULL, carry_out, other)) give_up("a thread cannot be begun");
            }
            p->at += length;
            continue;
        }
        p->no_outputs |= b == 0xF1;
        p->no_error |= b == 0xF2;
        if (b >= 0xF0) continue;
        call(p, b);
        p->no_outputs = p->no_error = p->is_dead = 0;
    }
    return NULL;
}

// What is done after a program is looked after like a call.
static void at_the_end(struct program *p, const char *name) {
    p->name = name;
    atomic_fetch_add(&p->call, 1 + atomic_load(&p->call) % 2);
    if (says) fprintf(stderr, "%s\n", name);
}

// One program, from nothing to nothing.
static void run(const uint8_t *bytes, size_t length) {
    for (int i = 0; i < 4; i++) memset(&programs[i], 0, offsetof(struct program, name));
    atomic_store(&given_count, 0), atomic_store(&has_ended, 0), atomic_store(&program_count, 1);
    struct program *p = programs;
    p->at = bytes, p->end = bytes + length;
    turn++;
    carry_out(p);
    at_the_end(p, "the end: everything is ended");
    wait_for_ender();
    end_everything();
    done(p);
    at_the_end(p, "the end: the other threads");
    for (unsigned i = 1; i < atomic_load(&program_count); i++) pthread_join(programs[i].thread, NULL);
    done(p);
    at_the_end(p, "the end: every handle is freed");
    for (unsigned i = 0; i < atomic_load(&given_count); i++) free_handle(given[i].handle, given[i].type);
    done(p);
    if (has_ground) empty_ground();
    has_ground = 0;
}

static void make_book(void) {
    portbook_book *opened = NULL;
    portbook_session *session = NULL;
    char *error = NULL;
    if (portbook_book_open("{\"path\":\"/book.db\"}", &opened, &error) || portbook_book_default_session(opened, &session, &error) ||
        portbook_book_shutdown(opened, &error)) {
        say("GAVE UP: no book: %s", error);
        _exit(3);
    }
    portbook_session_free(session);
    portbook_book_free(opened);
    book_bytes = taken_file("/book.db", &book_length);
}

int main(int count, char **files) {
    static uint8_t bytes[1 << 16];
    pthread_t watch;
    says = getenv("SAY") != NULL;
    const char *log = getenv("FUZZ_LOG");
    if (log && (log_file = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) < 0) return perror(log), 2;
#ifdef __AFL_FUZZ_TESTCASE_LEN
    count = 1;
#endif
    // They are read before what names them is left behind.
    struct { uint8_t *bytes; size_t length; } *read_in = calloc((size_t)count, sizeof *read_in);
    for (int i = 1; i < count; i++) {
        FILE *file = fopen(files[i], "rb");
        if (!file) return perror(files[i]), 2;
        read_in[i].length = fread(bytes, 1, sizeof bytes, file);
        read_in[i].bytes = memcpy(malloc(read_in[i].length + 1), bytes, read_in[i].length);
        fclose(file);
    }
#ifdef __AFL_FUZZ_TESTCASE_LEN
    // Each process that comes of it has its own ground: one that is killed leaves nothing to the next.
    __AFL_INIT();
    uint8_t *given_bytes = __AFL_FUZZ_TESTCASE_BUF;
#endif
    const char *refused = enter_ground();
    if (refused) return printf("no ground: %s is not allowed here\n", refused), 77;
    become_nobody();
    tell_of_signals();
    make_book();
    if (pthread_create(&watch, NULL, look_after, NULL)) return 2;
#ifdef __AFL_FUZZ_TESTCASE_LEN
    while (__AFL_LOOP(500)) run(given_bytes, (size_t)__AFL_FUZZ_TESTCASE_LEN);
#endif
    for (int i = 1; i < count; i++) {
        if (says) fprintf(stderr, "== %s\n", files[i]);
        run(read_in[i].bytes, read_in[i].length);
        free(read_in[i].bytes);
    }
    free(read_in);
#ifndef __AFL_FUZZ_TESTCASE_LEN
    printf("%d programs, no fault\n", count - 1);
#endif
    return 0;
}
