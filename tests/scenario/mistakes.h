// What callers have in common that make mistakes on purpose.

#include <portbook.h>
#include <stdio.h>

static char dir[3000], text[8192];
static int wrong;

static const char *with(const char *format, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    snprintf(text, sizeof text, format, path);
    return text;
}

// Every mistake has a code and words, which are not empty.
static void is(const char *what, portbook_code code, portbook_code wanted, char **error) {
    int has_words = *error && **error;
    if (code != wanted || (code > 0) != has_words) {
        printf("%s: %s instead of %s (%s)\n", what, portbook_code_text(code), portbook_code_text(wanted), has_words ? *error : "");
        wrong++;
    }
    portbook_text_free(*error);
    *error = NULL;
}
