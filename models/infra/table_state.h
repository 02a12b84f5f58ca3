/* A replica's inside, shared by table.c (writes, log, crash) and table_read.c (reads, merging). */
#ifndef MODELS_INFRA_TABLE_STATE_H
#define MODELS_INFRA_TABLE_STATE_H

#include "models/infra/table.h"

#include <stddef.h>
#include <uthash.h>

struct claim {
    struct {
        uint64_t user;
        uint64_t device;
        uint64_t key;
    } name;
    uint64_t id;
    uint64_t ballot;
    uint64_t put_ms;
    UT_hash_handle hh;
};

/* A partition by channel: messages by id, members by user. */
struct channel_rows {
    struct chat_channel channel;
    struct chat_entry *messages;
    uint32_t message_count;
    uint32_t message_max;
    struct chat_member *members; /* `left` is 0 until the first LEFT, and may lie before joined. */
    uint32_t member_count;
    uint32_t member_max;
    UT_hash_handle hh;
};

struct ack {
    uint32_t device;
    uint64_t delivered_ms; /* 0: not set. */
    uint64_t read_ms;
};

struct receipt_row {
    uint64_t id;
    uint64_t sender;
    struct chat_channel channel;
    uint32_t ack_count;
    struct ack acks[CHAT_DEVICES_MAX];
};

/* A partition by user: receipts by id, devices. */
struct user_rows {
    uint64_t user;
    struct receipt_row *receipts;
    uint32_t receipt_count;
    uint32_t receipt_max;
    uint32_t device_count;
    uint32_t devices[CHAT_DEVICES_MAX];
    UT_hash_handle hh;
};

struct cursor {
    struct {
        uint64_t user;
        uint64_t device;
        struct chat_channel channel;
    } name;
    uint64_t id;
    UT_hash_handle hh;
};

struct reserve {
    uint64_t machine;
    uint64_t until_ms;
    UT_hash_handle hh;
};

/* A record of the commit log: one row's worth of one effect. */
struct table_write {
    uint8_t op; /* enum chat_op. */
    uint32_t device;
    uint64_t user;
    uint64_t number; /* CLAIM: client_key. RESERVE: until. */
    uint64_t ballot; /* CLAIM. */
    uint64_t now_ms;
    struct chat_entry entry;
};

struct table {
    struct table_config config;
    struct claim *claims;
    struct channel_rows *channels;
    struct user_rows *users;
    struct cursor *cursors;
    struct reserve *reserves;
    struct table_write *log; /* Record n stands at n - 1. */
    uint64_t written;
    uint64_t log_max;
    uint64_t synced;
};

struct channel_rows *table_channel(const struct table *table, struct chat_channel channel);
struct user_rows *table_user(const struct table *table, uint64_t user);
/* Index of the first row with this id or a higher one. */
uint32_t table_message_at(const struct channel_rows *rows, uint64_t id);
uint32_t table_receipt_at(const struct user_rows *rows, uint64_t id);

#endif
