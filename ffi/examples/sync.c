// Makes the target like the source, once it was shown what that means.
//
//   cc -o sync sync.c $(pkg-config --cflags --libs portbook)
//   ./sync BOOK SOURCE TARGET        paths without quotes and backslashes

#include <portbook.h>
#include <stdio.h>
#include <stdlib.h>

// Ends the program with the library's words when a call fails.
static void must(portbook_code code, char *error) {
    if (code == PORTBOOK_OK) return;
    fprintf(stderr, "sync: %s [%s]\n", error, portbook_code_text(code));
    portbook_text_free(error);
    exit(1);
}

int main(int count, char **arguments) {
    if (count != 4) {
        fprintf(stderr, "usage: sync BOOK SOURCE TARGET\n");
        return 2;
    }
    char options[4200], source[4200], target[4200], *error = NULL, *json = NULL, *id = NULL;
    snprintf(options, sizeof options, "{\"path\":\"%s\"}", arguments[1]);
    snprintf(source, sizeof source, "{\"type\":\"directory\",\"path\":\"%s\"}", arguments[2]);
    snprintf(target, sizeof target, "{\"type\":\"directory\",\"path\":\"%s\"}", arguments[3]);

    portbook_book *book = NULL;
    portbook_session *session = NULL;
    portbook_conduit *conduit = NULL;
    portbook_preview *preview = NULL;
    portbook_run *run = NULL;
    must(portbook_book_open(options, &book, &error), error);
    must(portbook_book_default_session(book, &session, &error), error);
    must(portbook_session_connect(session, source, target, NULL, &conduit, &error), error);

    // What would change, a page at a time. A person may look at it, and tick changes out.
    must(portbook_conduit_preview(conduit, NULL, &preview, &error), error);
    must(portbook_preview_summary(preview, &json, &error), error);
    printf("%s\n", json);
    portbook_text_free(json);

    // Exactly that is applied.
    must(portbook_preview_id(preview, &id, &error), error);
    must(portbook_conduit_apply(conduit, id, NULL, &run, &error), error);
    while (portbook_run_next_event(run, &json, NULL) == PORTBOOK_OK) {
        printf("%s\n", json);
        portbook_text_free(json);
    }
    must(portbook_run_finish(run, &json, &error), error);
    printf("%s\n", json);
    portbook_text_free(json);

    portbook_text_free(id);
    portbook_run_free(run);
    portbook_preview_free(preview);
    portbook_conduit_free(conduit);
    portbook_session_free(session);
    must(portbook_book_shutdown(book, &error), error);
    portbook_book_free(book);
    return 0;
}
