#include "scenarios/load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "models/core/check.h"
#include "scenarios/apply.h"
#include "scenarios/check.h"
#include "scenarios/json.h"
#include "scenarios/table.h"

/* One file of the chain. */
struct source {
    char file[PLAN_PATH_SIZE];
    char *owned; /* The text, where we read it. */
    struct json_document document;
    dev_t device;
    ino_t inode;
};

struct scenario {
    uint32_t source_count; /* The first is the scenario itself, the last what is at the bottom. */
    struct source sources[SCENARIO_EXTENDS_MAX];
    const struct json_document *variant_document; /* NULL: no variants. */
    uint32_t variant_count;
    uint32_t variants[SCENARIO_VARIANTS_MAX]; /* Nodes of variant_document. */
    const char *variant_names[SCENARIO_VARIANTS_MAX];
    const char *const *sets; /* Borrowed. */
    char **shown_sets;       /* The same as they are named in messages. */
    uint32_t set_count;
    uint32_t error_count; /* Found while opening. */
};

/* At the top of a file, not for the table. */
static const char *const root_fields[] = {"$schema", "extends", "variants", NULL};
static const char *const variant_fields[] = {"name", NULL};

/* The root's field of this name; 0 where there is none. */
static uint32_t root_field(const struct json_document *d, const char *key)
{
    for (uint32_t i = 1; i < d->node_count; i = d->nodes[i].next) {
        if (d->nodes[i].key != NULL && strcmp(d->nodes[i].key, key) == 0) {
            return i;
        }
    }
    return 0;
}

static void refuse(const struct json_document *d, uint32_t node, struct problems *problems,
                   const char *why)
{
    char path[PROBLEM_PATH_SIZE];
    struct place place = json_value_place(d, node, path);
    problems_add(problems, PROBLEM_ERROR, &place, "%s", why);
}

/* -- The chain of files -------------------------------------------------------------------------
 */

static bool parse_source(struct source *source, const char *text, size_t size,
                         struct problems *problems)
{
    if (!json_parse(&source->document, source->file, text, size, problems)) {
        return false;
    }
    if (source->document.nodes[0].kind != JSON_OBJECT) {
        refuse(&source->document, 0, problems, "a scenario is an object in { }");
        json_free(&source->document);
        return false;
    }
    return true;
}

/* Reads and parses a file into `source`, whose file name is set. */
static bool read_source(struct source *source, struct problems *problems)
{
    const char *file = source->file;
    const char *path = strcmp(file, "-") == 0 ? "/dev/stdin" : file;
    struct stat status;
    if (stat(path, &status) == 0) {
        source->device = status.st_dev;
        source->inode = status.st_ino;
    }
    size_t size;
    if (!json_read_file(path, JSON_BYTES_MAX, &source->owned, &size, problems)) {
        return false;
    }
    if (!parse_source(source, source->owned, size, problems)) {
        free(source->owned);
        source->owned = NULL;
        return false;
    }
    return true;
}

/* Why the file `path` can't be the next of the chain; NULL where it can. */
static const char *bad_base(const struct scenario *s, const char *path, char *why, size_t size)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        snprintf(why, size, "extends \"%.200s\", which can't be read: %s", path, strerror(errno));
        return why;
    }
    if (!S_ISREG(status.st_mode)) {
        snprintf(why, size, "extends \"%.200s\", which is no file", path);
        return why;
    }
    for (uint32_t i = 0; i < s->source_count; i++) {
        if (s->sources[i].device == status.st_dev && s->sources[i].inode == status.st_ino) {
            snprintf(why, size,
                     "extends \"%.200s\", which extends this file in turn: a circle; "
                     "remove one of the links",
                     path);
            return why;
        }
    }
    if (s->source_count == SCENARIO_EXTENDS_MAX) {
        snprintf(why, size, "a chain of more than %u files; merge some", SCENARIO_EXTENDS_MAX);
        return why;
    }
    return NULL;
}

/* Follows `extends` from the last source down. */
static void follow_extends(struct scenario *s, struct problems *problems)
{
    for (;;) {
        struct source *above = &s->sources[s->source_count - 1];
        const struct json_document *d = &above->document;
        uint32_t node = root_field(d, "extends");
        if (node == 0) {
            return;
        }
        char path[PLAN_PATH_SIZE];
        char why[PROBLEM_TEXT_SIZE];
        const char *name = d->nodes[node].item->valuestring;
        if (d->nodes[node].kind != JSON_STRING || name[0] == '\0') {
            refuse(d, node, problems, "the name of a scenario file is expected here");
            return;
        }
        if (!resolve_path(above->file, name, path, sizeof path)) {
            refuse(d, node, problems, "the path is too long");
            return;
        }
        if (bad_base(s, path, why, sizeof why) != NULL) {
            refuse(d, node, problems, why);
            return;
        }
        struct source *next = &s->sources[s->source_count];
        snprintf(next->file, sizeof next->file, "%s", path);
        if (!read_source(next, problems)) {
            return;
        }
        s->source_count++;
    }
}

/* -- Variants ------------------------------------------------------------------------------------
 */

/* The variant's name, or NULL, said why. */
static const char *name_of_variant(const struct scenario *s, uint32_t node,
                                   struct problems *problems)
{
    const struct json_document *d = s->variant_document;
    uint32_t name_node = 0;
    if (d->nodes[node].kind != JSON_OBJECT) {
        refuse(d, node, problems, "a variant is an object in { } with a name and fields to set");
        return NULL;
    }
    for (uint32_t i = node + 1; i < d->nodes[node].next; i = d->nodes[i].next) {
        name_node = strcmp(d->nodes[i].key, "name") == 0 ? i : name_node;
    }
    if (name_node == 0 || d->nodes[name_node].kind != JSON_STRING) {
        refuse(d, name_node == 0 ? node : name_node, problems,
               "a variant needs a \"name\", a text");
        return NULL;
    }
    const char *name = d->nodes[name_node].item->valuestring;
    size_t length = strlen(name);
    if (length == 0 || length >= PLAN_NAME_SIZE || name[0] == '.' ||
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") !=
            length) {
        refuse(
            d, name_node, problems,
            "a variant's name has 1 to 63 letters, digits, - and _, since files are named by it");
        return NULL;
    }
    for (uint32_t i = 0; i < s->variant_count; i++) {
        if (strcmp(s->variant_names[i], name) == 0) {
            refuse(d, name_node, problems, "another variant has this name");
            return NULL;
        }
    }
    return name;
}

/* Takes the list of variants of the topmost file that has one. */
static void find_variants(struct scenario *s, struct problems *problems)
{
    const struct json_document *d = NULL;
    uint32_t list = 0;
    for (uint32_t i = 0; i < s->source_count && list == 0; i++) {
        d = &s->sources[i].document;
        list = root_field(d, "variants");
    }
    if (list == 0) {
        return;
    }
    s->variant_document = d;
    if (d->nodes[list].kind != JSON_ARRAY) {
        refuse(d, list, problems, "a list in [ ] of variants is expected here");
        return;
    }
    for (uint32_t i = list + 1; i < d->nodes[list].next; i = d->nodes[i].next) {
        if (s->variant_count == SCENARIO_VARIANTS_MAX) {
            refuse(d, i, problems, "more variants than a scenario can have (32)");
            return;
        }
        const char *name = name_of_variant(s, i, problems);
        if (name != NULL) {
            s->variant_names[s->variant_count] = name;
            s->variants[s->variant_count++] = i;
        }
    }
}

/* -- Opening -------------------------------------------------------------------------------------
 */

static struct scenario *new_scenario(const char *name, const char *const *sets, uint32_t set_count,
                                     struct problems *problems)
{
    struct place place = {name, 0, 0, NULL};
    if (strlen(name) >= PLAN_PATH_SIZE) {
        problems_add(problems, PROBLEM_ERROR, &place, "the path is too long");
        return NULL;
    }
    if (set_count > SCENARIO_SETS_MAX) {
        problems_add(problems, PROBLEM_ERROR, &place, "more than %u overrides; write a scenario",
                     SCENARIO_SETS_MAX);
        return NULL;
    }
    struct scenario *s = calloc(1, sizeof *s);
    if (s == NULL) {
        problems_add(problems, PROBLEM_ERROR, &place, "not enough memory to read it");
        return NULL;
    }
    s->sets = sets;
    s->shown_sets = calloc((size_t)set_count + 1, sizeof *s->shown_sets);
    for (uint32_t i = 0; i < set_count && s->shown_sets != NULL; i++) {
        if (asprintf(&s->shown_sets[i], "--set %s", sets[i]) < 0) {
            s->shown_sets[i] = NULL;
            break;
        }
        s->set_count++;
    }
    if (s->set_count < set_count || s->shown_sets == NULL) {
        problems_add(problems, PROBLEM_ERROR, &place, "not enough memory to read it");
        scenario_close(s);
        return NULL;
    }
    snprintf(s->sources[0].file, sizeof s->sources[0].file, "%s", name);
    return s;
}

/* Takes the first source, read and parsed if `good`, and what follows from it. */
static struct scenario *finish_open(struct scenario *s, bool good, uint32_t errors_before,
                                    struct problems *problems)
{
    if (!good) {
        scenario_close(s);
        return NULL;
    }
    s->source_count = 1;
    follow_extends(s, problems);
    find_variants(s, problems);
    s->error_count = problems->reports - errors_before;
    return s;
}

struct scenario *scenario_open(const char *path, const char *const *sets, uint32_t set_count,
                               struct problems *problems)
{
    uint32_t errors_before = problems->reports;
    struct scenario *s = new_scenario(path, sets, set_count, problems);
    if (s == NULL) {
        return NULL;
    }
    return finish_open(s, read_source(&s->sources[0], problems), errors_before, problems);
}

struct scenario *scenario_open_text(const char *name, const char *text, size_t size,
                                    const char *const *sets, uint32_t set_count,
                                    struct problems *problems)
{
    uint32_t errors_before = problems->reports;
    struct scenario *s = new_scenario(name, sets, set_count, problems);
    if (s == NULL) {
        return NULL;
    }
    return finish_open(s, parse_source(&s->sources[0], text, size, problems), errors_before,
                       problems);
}

void scenario_close(struct scenario *scenario)
{
    if (scenario == NULL) {
        return;
    }
    for (uint32_t i = 0; i < scenario->source_count; i++) {
        json_free(&scenario->sources[i].document);
        free(scenario->sources[i].owned);
    }
    for (uint32_t i = 0; i < scenario->set_count; i++) {
        free(scenario->shown_sets[i]);
    }
    free(scenario->shown_sets);
    free(scenario);
}

uint32_t scenario_variant_count(const struct scenario *scenario)
{
    return scenario->variant_count == 0 ? 1 : scenario->variant_count;
}

const char *scenario_variant_name(const struct scenario *scenario, uint32_t variant)
{
    CHECK(variant < scenario_variant_count(scenario));
    return scenario->variant_count == 0 ? "" : scenario->variant_names[variant];
}

/* -- Building a plan -----------------------------------------------------------------------------
 */

static void complete_laws(struct plan *plan)
{
    uint32_t count = table_count();
    for (uint32_t i = 0; i < count; i++) {
        const struct table_row *row = table_row(i);
        if (row->law) {
            plan_law_complete(table_field(row, plan, 0), row->mean);
        }
    }
}

/* A scenario without a name is called like its file. */
static void complete_name(struct plan *plan, const char *file)
{
    if (plan->name[0] != '\0') {
        return;
    }
    const char *slash = strrchr(file, '/');
    const char *base = slash == NULL ? file : slash + 1;
    size_t length = strlen(base);
    if (length > 5 && strcmp(base + length - 5, ".json") == 0) {
        length -= 5;
    }
    snprintf(plan->name, sizeof plan->name, "%.*s", (int)length, base);
}

bool scenario_plan(const struct scenario *scenario, uint32_t variant, struct plan *plan,
                   struct problems *problems)
{
    CHECK(variant < scenario_variant_count(scenario));
    uint32_t errors_before = problems->reports;
    struct builder builder = {
        .plan = plan,
        .problems = problems,
        .file = scenario->sources[0].file,
    };
    table_defaults(plan);
    for (uint32_t i = scenario->source_count; i > 0; i--) {
        apply_object(&builder, &scenario->sources[i - 1].document, 0, root_fields);
    }
    if (scenario->variant_count > 0) {
        snprintf(plan->variant, sizeof plan->variant, "%s", scenario->variant_names[variant]);
        apply_object(&builder, scenario->variant_document, scenario->variants[variant],
                     variant_fields);
    }
    for (uint32_t i = 0; i < scenario->set_count; i++) {
        apply_override(&builder, scenario->sets[i], scenario->shown_sets[i]);
    }
    complete_laws(plan);
    complete_name(plan, scenario->sources[0].file);
    check_plan(&builder);
    builder_free(&builder);
    return scenario->error_count == 0 && problems->reports == errors_before;
}

bool scenario_load(const char *path, const char *const *sets, uint32_t set_count, struct plan *plan,
                   struct problems *problems)
{
    struct scenario *scenario = scenario_open(path, sets, set_count, problems);
    if (scenario == NULL) {
        return false;
    }
    bool good = scenario_plan(scenario, 0, plan, problems);
    scenario_close(scenario);
    return good;
}
