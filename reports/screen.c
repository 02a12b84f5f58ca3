#include "reports/screen.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "reports/humane.h"
#include "reports/screen_state.h"
#include "reports/words.h"

#define TEXT_SIZE 1024u
#define VIOLATIONS_SHOWN 2u
#define FINDINGS_SHOWN 3u
#define STAGES_LEAST 3u /* Delivery, ack and receipt. */

/* Text that grows to the right, and is cut where it is full. */
struct text {
    size_t length;
    char bytes[TEXT_SIZE];
};

static void say(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int more = vsnprintf(text->bytes + text->length, TEXT_SIZE - text->length, format, arguments);
    va_end(arguments);
    text->length += more > 0 ? (size_t)more : 0;
    text->length = text->length < TEXT_SIZE ? text->length : TEXT_SIZE - 1;
}

const char *screen_clean(const char *outside, char *buffer, size_t size)
{
    size_t length = 0;
    for (; outside[length] != '\0' && length + 1 < size; length++) {
        unsigned char byte = (unsigned char)outside[length];
        bool control = byte < 0x20 || byte == 0x7F ||
                       (byte >= 0x80 && byte < 0xA0 && length > 0 &&
                        (unsigned char)outside[length - 1] == 0xC2);
        buffer[length] = control ? '?' : outside[length];
    }
    buffer[length] = '\0';
    return buffer;
}

/* Lines of at most SCREEN_COLUMNS, broken at blanks; at most `lines` of them. */
static void put_wrapped(const struct screen *screen, enum screen_colour colour, const char *text,
                        uint32_t lines)
{
    for (uint32_t line = 0; line < lines && *text != '\0'; line++) {
        size_t length = strlen(text);
        if (length > SCREEN_COLUMNS) {
            length = SCREEN_COLUMNS;
            while (length > 0 && text[length] != ' ') {
                length--;
            }
            length = length > 0 ? length : SCREEN_COLUMNS;
        }
        fprintf(screen->stream, "%s%.*s%s\n", screen_paint(screen, colour), (int)length, text,
                screen_paint(screen, SCREEN_PLAIN));
        text += length;
        text += *text == ' ';
    }
}

static void put_title(const struct screen *screen)
{
    const struct result *result = screen->result;
    const struct plan *plan = result->plan;
    struct text text = {0};
    char name[PLAN_NAME_SIZE];
    char a[HUMANE_SIZE];
    char b[HUMANE_SIZE];
    say(&text, "%s", screen_clean(plan->name, name, sizeof name));
    if (plan->variant[0] != '\0') {
        say(&text, " / %s", screen_clean(plan->variant, name, sizeof name));
    }
    if (plan->level > 0) {
        say(&text, ", level %u", plan->level);
    }
    say(&text, ": %s clients, %s online", humane_count((double)result->clients, a),
        humane_count((double)result->online, b));
    uint64_t until_ns = result->until_ns < result->end_ns ? result->until_ns : result->end_ns;
    uint64_t measured_ns = until_ns > result->from_ns ? until_ns - result->from_ns : 0;
    say(&text, "; %s measured", humane_time((double)measured_ns, a));
    if (result->from_ns > 0) {
        say(&text, " after %s of warm-up", humane_time((double)result->from_ns, b));
    }
    say(&text, "; seed %" PRIu64, plan->run.seed);
    put_wrapped(screen, SCREEN_BOLD, text.bytes, 2);
    if (result->fraction > 0 && result->fraction < 1) {
        fprintf(screen->stream,
                "A sample of %s: clients, nodes and rates below are the sample's.\n",
                humane_percent(result->fraction, a));
    }
}

static const struct result_resource *binding(const struct result *result)
{
    const struct result_resource *resource =
        &result->tiers[result->binding_tier].resources[result->binding_resource];
    return resource->present ? resource : NULL;
}

static bool is_finding(const struct result *result, uint32_t tier, uint32_t resource)
{
    for (uint32_t i = 0; i < result->finding_count; i++) {
        if (result->findings[i].tier == tier && result->findings[i].resource == resource) {
            return true;
        }
    }
    return false;
}

/* " Does not fit: cassandra disk at 336%, redis memory at 120%." */
static void say_findings(struct text *text, const struct result *result)
{
    for (uint32_t i = 0; i < result->finding_count && i < FINDINGS_SHOWN; i++) {
        const struct result_finding *finding = &result->findings[i];
        const struct result_tier *tier = &result->tiers[finding->tier];
        char percent[HUMANE_SIZE];
        say(text, "%s %s %s at %s", i == 0 ? " Does not fit:" : ",", tier->name,
            screen_resource(tier->resources[finding->resource].name),
            humane_percent(finding->utilization, percent));
    }
    if (result->finding_count > FINDINGS_SHOWN) {
        say(text, ", and %u more", result->finding_count - FINDINGS_SHOWN);
    }
    say(text, "%s", result->finding_count > 0 ? "." : "");
}

/* The busiest node of all, where it is full and neither `named` nor a finding says so. */
static void say_hottest(struct text *text, const struct result *result,
                        const struct result_resource *named)
{
    double most = SCREEN_FULL;
    const struct result_tier *hot_tier = NULL;
    const struct result_resource *hot = NULL;
    for (uint32_t t = 0; t < RESULT_TIERS; t++) {
        for (uint32_t r = 0; r < RESULT_RESOURCES; r++) {
            const struct result_resource *resource = &result->tiers[t].resources[r];
            if (resource->present && resource->utilization_max >= most &&
                !is_finding(result, t, r)) {
                most = resource->utilization_max;
                hot_tier = &result->tiers[t];
                hot = resource;
            }
        }
    }
    if (hot == NULL || (hot == named && hot->utilization_mean >= SCREEN_FULL)) {
        return;
    }
    char percent[HUMANE_SIZE];
    say(text, " Fullest node: %s #%u, %s at %s.", hot_tier->name, hot->worst,
        screen_resource(hot->name), humane_percent(hot->utilization_max, percent));
}

/* What messages queue for; the others only fill up. */
static bool is_flow(const struct result_resource *resource)
{
    static const char *const names[] = {"cpu", "nic_in", "nic_out", "disk_io"};
    bool flow = false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        flow = flow || (resource->present && strcmp(resource->name, names[i]) == 0);
    }
    return flow;
}

/* An overload is a matter of the station that is fullest, whatever else does not fit. Returns it.
 */
static const struct result_resource *say_fullest_station(struct text *text,
                                                         const struct result *result)
{
    const struct result_tier *tier = NULL;
    const struct result_resource *fullest = NULL;
    for (uint32_t t = 0; t < RESULT_TIERS; t++) {
        for (uint32_t r = 0; r < RESULT_RESOURCES; r++) {
            const struct result_resource *resource = &result->tiers[t].resources[r];
            if (is_flow(resource) &&
                (fullest == NULL || resource->utilization_mean > fullest->utilization_mean)) {
                tier = &result->tiers[t];
                fullest = resource;
            }
        }
    }
    if (fullest == NULL) {
        return NULL;
    }
    char percent[HUMANE_SIZE];
    humane_percent(fullest->utilization_mean, percent);
    if (fullest->utilization_mean >= SCREEN_NEAR) {
        say(text, "%s %s binds at %s; ", tier->name, screen_resource(fullest->name), percent);
    } else {
        say(text, "no tier is full (%s %s %s); ", tier->name, screen_resource(fullest->name),
            percent);
    }
    return fullest;
}

static void say_overload(struct text *text, const struct result *result)
{
    char grows[HUMANE_SIZE];
    const struct result_resource *fullest = say_fullest_station(text, result);
    if (result->unfinished_growth_per_s > 0) {
        say(text, "unfinished grows by %s msg/s; ",
            humane_count(result->unfinished_growth_per_s, grows));
    }
    say(text,
        "%" PRIu64 " messages never finished: no steady state, latencies below are of those that "
        "finished.",
        result->unfinished);
    say_findings(text, result);
    say_hottest(text, result, fullest);
}

/* "cassandra cpu binds at 63%" */
static void say_binding(struct text *text, const struct result *result)
{
    const struct result_resource *resource = binding(result);
    char percent[HUMANE_SIZE];
    if (resource == NULL) {
        say(text, "nothing binds");
        return;
    }
    say(text, "%s %s binds at %s", result->tiers[result->binding_tier].name,
        screen_resource(resource->name), humane_percent(resource->utilization_mean, percent));
}

static bool was_measured(const struct result *result)
{
    return result->events > 0 && result->end_ns > result->from_ns;
}

static void put_headline(const struct screen *screen)
{
    const struct result *result = screen->result;
    const struct result_resource *resource = binding(result);
    struct text text = {0};
    enum screen_colour colour = SCREEN_GREEN;
    if (!was_measured(result)) {
        colour = SCREEN_YELLOW;
        say(&text, "Nothing was measured, so nothing is known.");
    } else if (result->overloaded) {
        colour = SCREEN_RED;
        say(&text, "OVERLOADED: ");
        say_overload(&text, result);
    } else {
        bool fits = result->finding_count == 0;
        bool behind = words_acked_share(result) < WORDS_BEHIND;
        char share[HUMANE_SIZE];
        colour = fits && !behind ? SCREEN_GREEN : SCREEN_YELLOW;
        say_binding(&text, result);
        if (behind) {
            say(&text, "; %s of the messages sent in the measured time were acknowledged in it.",
                humane_percent(words_acked_share(result), share));
        } else {
            say(&text, "; %s%s.", fits ? "the system keeps up" : "messages keep up",
                result->partial ? " so far" : "");
        }
        say_findings(&text, result);
        say_hottest(&text, result, resource);
    }
    put_wrapped(screen, colour, text.bytes, 3);
}

static void put_partial(const struct screen *screen)
{
    const struct result *result = screen->result;
    if (!result->partial) {
        return;
    }
    const struct plan_run *run = &result->plan->run;
    char at[HUMANE_SIZE];
    char all[HUMANE_SIZE];
    fprintf(screen->stream, "%sPARTIAL: interrupted at %s of %s%s.%s\n",
            screen_paint(screen, SCREEN_YELLOW), humane_time((double)result->end_ns, at),
            humane_time((double)(run->warmup_ns + run->duration_ns + run->drain_ns), all),
            was_measured(result) ? "" : ", in the warm-up", screen_paint(screen, SCREEN_PLAIN));
}

static double per_s(const struct result *result, const char *name)
{
    const struct result_counter *counter = result_counter(result, name);
    return counter == NULL ? 0 : counter->per_s;
}

static double measured(const struct result *result, const char *name)
{
    const struct result_counter *counter = result_counter(result, name);
    return counter == NULL ? 0 : (double)counter->measured;
}

/* "  acked 3.5M/s" */
static void say_rate(struct text *text, const struct result *result, const char *label,
                     const char *counter, bool always)
{
    char rate[HUMANE_SIZE];
    if (always || measured(result, counter) > 0) {
        say(text, "  %s %s/s", label, humane_count(per_s(result, counter), rate));
    }
}

static void put_line(const struct screen *screen, const struct text *text)
{
    fprintf(screen->stream, "%.*s\n", (int)SCREEN_COLUMNS, text->bytes);
}

static void put_throughput(const struct screen *screen)
{
    const struct result *result = screen->result;
    struct text text = {0};
    char a[HUMANE_SIZE];
    char b[HUMANE_SIZE];
    say(&text, "messages  ");
    say_rate(&text, result, "sent", "messages_sent", true);
    say_rate(&text, result, "acked", "messages_acked", true);
    say_rate(&text, result, "refused", "messages_refused", false);
    say_rate(&text, result, "delivered", "deliveries", true);
    say_rate(&text, result, "again", "redeliveries", false);
    say_rate(&text, result, "to offline", "deliveries_offline", false);
    put_line(screen, &text);
    double acked = measured(result, "messages_acked");
    double sent = measured(result, "messages_sent");
    text = (struct text){0};
    say(&text, "a message   deliveries %s",
        acked > 0 ? humane_count(measured(result, "deliveries") / acked, a) : "-");
    say(&text, ", tries %s",
        sent > 0 ? humane_count(measured(result, "messages_transmitted") / sent, b) : "-");
    put_line(screen, &text);
    text = (struct text){0};
    say(&text, "receipts  ");
    say_rate(&text, result, "delivered", "receipts_delivered", true);
    say_rate(&text, result, "read", "receipts_read", true);
    say_rate(&text, result, "pushes", "pushes", false);
    say_rate(&text, result, "connects", "connects", false);
    double polls = measured(result, "polls");
    if (polls > 0) {
        say_rate(&text, result, "polls", "polls", true);
        say(&text, " (%s empty)", humane_percent(measured(result, "polls_empty") / polls, a));
    }
    put_line(screen, &text);
}

static void put_judge(const struct screen *screen)
{
    const struct result *result = screen->result;
    if (!result->judged) {
        return;
    }
    if (result->violation_count == 0) {
        fprintf(screen->stream, "%sjudge%s       every guarantee kept",
                screen_paint(screen, SCREEN_GREEN), screen_paint(screen, SCREEN_PLAIN));
    } else {
        fprintf(screen->stream, "%sJUDGE       %" PRIu64 " violations%s",
                screen_paint(screen, SCREEN_RED), result->violation_count,
                screen_paint(screen, SCREEN_PLAIN));
    }
    fprintf(screen->stream, ": %" PRIu64 " acked, %" PRIu64 " shown, %" PRIu64 " owed\n",
            result->judged_acked, result->judged_shown, result->judged_owed);
    char words[SCREEN_COLUMNS - 11];
    for (uint32_t i = 0; i < result->violation_words_count && i < VIOLATIONS_SHOWN; i++) {
        fprintf(screen->stream, "            %s\n",
                screen_clean(result->violations[i], words, sizeof words));
    }
    if (result->violation_count > VIOLATIONS_SHOWN) {
        fprintf(screen->stream, "            ... and %" PRIu64 " more\n",
                result->violation_count - VIOLATIONS_SHOWN);
    }
}

static void put_unfinished(const struct screen *screen)
{
    const struct result *result = screen->result;
    struct text text = {0};
    char a[HUMANE_SIZE];
    char b[HUMANE_SIZE];
    say(&text, "unfinished  %s messages sent and not acked at the end, %s records not consumed",
        humane_count((double)result->unfinished, a),
        humane_count((double)result->consumer_lag_records, b));
    double lost = measured(result, "events_lost");
    double timeouts = measured(result, "backend_timeouts");
    if (timeouts > 0) {
        say(&text, ", %s time-outs", humane_count(timeouts, a));
    }
    if (lost > 0) {
        say(&text, ", %s lost", humane_count(lost, b));
    }
    put_line(screen, &text);
}

static void put_speed(const struct screen *screen)
{
    const struct result *result = screen->result;
    struct text text = {0};
    char events[HUMANE_SIZE];
    char speed[HUMANE_SIZE];
    char memory[HUMANE_SIZE];
    say(&text, "speed       %s events, %s/s, %.3g wall s a simulated s, %u thread%s, %s",
        humane_count((double)result->events, events),
        humane_count(result->host.events_per_s, speed),
        isfinite(result->host.wall_s_per_simulated_s) ? result->host.wall_s_per_simulated_s : 0,
        result->host.threads, result->host.threads == 1 ? "" : "s",
        humane_memory((double)result->host.memory_bytes, memory));
    put_line(screen, &text);
}

/* Whole, however long: a command that is cut repeats nothing. */
static void put_cleaned(const struct screen *screen, const char *label, const char *outside)
{
    fprintf(screen->stream, "%-12s", label);
    char part[256];
    size_t length = strlen(outside);
    for (size_t done = 0; done < length; done += strlen(part)) {
        screen_clean(outside + done, part, sizeof part);
        fputs(part, screen->stream);
    }
    fputc('\n', screen->stream);
}

static void put_above(const struct screen *screen)
{
    put_title(screen);
    put_headline(screen);
    put_partial(screen);
}

static void put_rates(const struct screen *screen)
{
    fputc('\n', screen->stream);
    put_throughput(screen);
    fputc('\n', screen->stream);
}

static void put_below(const struct screen *screen)
{
    fputc('\n', screen->stream);
    screen_utilization(screen);
    screen_sizes(screen);
    fputc('\n', screen->stream);
    put_judge(screen);
    put_unfinished(screen);
    put_speed(screen);
    if (screen->options->repeat != NULL) {
        put_cleaned(screen, "repeat", screen->options->repeat);
    }
    if (screen->options->file != NULL) {
        put_cleaned(screen, "result", screen->options->file);
    }
}

/* The part as text, to see how many lines it takes. The caller frees it; NULL with errno. */
static char *rendered(struct screen screen, void (*put)(const struct screen *), uint32_t *lines)
{
    char *text = NULL;
    size_t size = 0;
    screen.stream = open_memstream(&text, &size);
    if (screen.stream == NULL) {
        return NULL;
    }
    put(&screen);
    if (fclose(screen.stream) != 0) {
        free(text);
        return NULL;
    }
    for (size_t i = 0; i < size; i++) {
        *lines += text[i] == '\n';
    }
    return text;
}

/* Stages get the lines that everything else leaves, but for two: heading and "... more". */
bool screen_write(FILE *stream, const struct result *result, const struct screen_options *options)
{
    const struct screen screen = {stream, result, options};
    uint32_t lines = 0;
    char *above = rendered(screen, put_above, &lines);
    char *rates = rendered(screen, put_rates, &lines);
    char *below = rendered(screen, put_below, &lines);
    bool good = above != NULL && rates != NULL && below != NULL;
    if (good) {
        fputs(above, stream);
        screen_verdicts(&screen);
        screen_budgets(&screen);
        fputs(rates, stream);
        screen_latencies(&screen, lines + 2 + STAGES_LEAST < SCREEN_LINES ? SCREEN_LINES - lines - 2
                                                                          : STAGES_LEAST);
        fputs(below, stream);
        good = fflush(stream) == 0 && !ferror(stream);
    }
    free(above);
    free(rates);
    free(below);
    return good;
}
