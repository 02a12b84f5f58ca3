/* How the rows of the table are written. Only the scenarios/table_*.c include this. */
#ifndef SCENARIOS_TABLE_ROWS_H
#define SCENARIOS_TABLE_ROWS_H

#include "scenarios/table.h"

#define STORE_OF(field)                                                                            \
    _Generic((field),                                                                              \
        uint32_t: STORE_U32,                                                                       \
        uint64_t: STORE_U64,                                                                       \
        int64_t: STORE_I64,                                                                        \
        double: STORE_F64,                                                                         \
        bool: STORE_BOOL,                                                                          \
        default: STORE_TEXT)

/* A field of a struct: where it is, how long, how stored. */
#define FIELD(type, member)                                                                        \
    .offset = offsetof(type, member), .size = sizeof(((type *)0)->member),                         \
    .store = STORE_OF(((type *)0)->member)

/* A number from `low` to `high`. */
#define NUMBER(path_, kind_, member, initial_, low, high, sure_, about_, source_)                  \
    {                                                                                              \
        .path = path_, .kind = kind_, FIELD(struct plan, member), .initial = initial_,             \
        .least = low, .most = high, .about = about_, .source = source_, .sure = sure_              \
    }

/* One of a few names. */
#define CHOICE(path_, member, choices_, initial_, sure_, about_, source_)                          \
    {                                                                                              \
        .path = path_, .kind = TABLE_ENUM, FIELD(struct plan, member), .choices = choices_,        \
        .initial = initial_, .about = about_, .source = source_, .sure = sure_                     \
    }

#define FLAG(path_, member, initial_, sure_, about_, source_)                                      \
    {                                                                                              \
        .path = path_, .kind = TABLE_BOOL, FIELD(struct plan, member), .initial = initial_,        \
        .about = about_, .source = source_, .sure = sure_                                          \
    }

#define TEXT(path_, kind_, member, about_, source_)                                                \
    {                                                                                              \
        .path = path_, .kind = kind_, FIELD(struct plan, member), .initial = "", .about = about_,  \
        .source = source_, .sure = SURE_JUDGEMENT                                                  \
    }

/* A law: five rows. `centre` is mean or median; `unit` UNITS_DURATION or UNITS_BYTES. */
#define LAW(path_, member, unit, centre, law_, centre_, sigma_, floor_, max_, sure_, about_,       \
            source_)                                                                               \
    {.path = path_ ".law",                                                                         \
     .kind = TABLE_ENUM,                                                                           \
     FIELD(struct plan, member.kind),                                                              \
     .choices = table_laws,                                                                        \
     .initial = law_,                                                                              \
     .about = about_ ": its law.",                                                                 \
     .source = source_,                                                                            \
     .sure = sure_,                                                                                \
     .law = true,                                                                                  \
     .mean = sizeof(#centre) == sizeof("mean")},                                                   \
        NUMBER(path_ "." #centre, unit, member.centre, centre_, NULL, LAW_MOST(unit), sure_,       \
               about_ ": " #centre ", floor included.", source_),                                  \
        NUMBER(path_ ".sigma", UNITS_FACTOR, member.sigma, sigma_, "0", "4", sure_,                \
               about_ ": lognormal, the logarithm's deviation.", source_),                         \
        NUMBER(path_ ".floor", unit, member.floor, floor_, NULL, LAW_MOST(unit), sure_,            \
               about_ ": no value is less.", source_),                                             \
        NUMBER(path_ ".max", unit, member.max, max_, NULL, LAW_MOST(unit), SURE_JUDGEMENT,         \
               about_ ": cut there; 0 is no cut.", "Ours.")

#define LAW_MOST(unit) ((unit) == UNITS_BYTES ? "1 GB" : "30 d")

/* A field of an array's element. */
#define ELEMENT(array_, path_, type, kind_, member, choices_, initial_, low, high, about_)         \
    {                                                                                              \
        .path = path_, .kind = kind_, .array = array_, FIELD(type, member), .choices = choices_,   \
        .initial = initial_, .least = low, .most = high, .about = about_, .source = "",            \
        .sure = SURE_JUDGEMENT                                                                     \
    }

extern const char *const table_laws[];

/* The sections of the table, in order; each ends with a row without a path. */
extern const struct table_row table_population[];
extern const struct table_row table_network[];
extern const struct table_row table_storage[];
extern const struct table_row table_services[];
extern const struct table_row table_lists[];

#endif
