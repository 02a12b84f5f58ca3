/* Rows: the scenario itself, the run, the population, its clients. */
#include "scenarios/table_rows.h"

#define OURS "Ours."
#define REED14                                                                                     \
    "R. Reed (WhatsApp), Erlang Factory 2014, in a copy of "                                       \
    "https://highscalability.com/how-whatsapp-grew-to-nearly-500-million-users-11000-cores-an/"

const char *const table_laws[] = {"constant", "uniform", "exponential", "lognormal", NULL};

static const char *const routings[] = {"sticky", "redis", "kafka", NULL};
static const char *const undecided[] = {"fail", "pass", NULL};
static const char *const transports[] = {"websocket", "long_polling", "polling", NULL};

const struct table_row table_population[] = {
    TEXT("name", TABLE_STRING, name, "Short name, for reports; the file's name if left out.", OURS),
    TEXT("about", TABLE_STRING, about, "What the scenario is for, in a sentence or two.", OURS),
    NUMBER("level", UNITS_COUNT, level, "0", "0", "9", SURE_JUDGEMENT,
           "Which step of the design it shows: 1 polling, 2 long polling, 3 WebSocket, 4 services, "
           "5 storage, 6 receipts, 7 offline, 8 groups, 9 encryption; 0: none in particular.",
           OURS),

    CHOICE("routing", routing, routings, "redis", SURE_JUDGEMENT,
           "How a message finds the gateway that holds the connection: sticky (a hash of the user, "
           "direct connections), redis (presence, sharded Pub/Sub) or kafka (presence, a partition "
           "a gateway).",
           "The design's three ways."),

    NUMBER("run.warmup", UNITS_DURATION, run.warmup_ns, "2 s", "0", "1 h", SURE_JUDGEMENT,
           "Simulated first and not measured.", "Ours; a run begins in steady state anyway."),
    NUMBER("run.duration", UNITS_DURATION, run.duration_ns, "10 s", "1 ms", "30 d", SURE_JUDGEMENT,
           "Simulated and measured, after the warm-up.", OURS),
    NUMBER("run.drain", UNITS_DURATION, run.drain_ns, "5 s", "0", "1 h", SURE_JUDGEMENT,
           "At the end nothing new is sent for so long, so that what is under way can end.", OURS),
    NUMBER("run.seed", UNITS_COUNT, run.seed, "1", "0", NULL, SURE_JUDGEMENT,
           "Same seed, same result to the byte. Past 2^53 written as a text.", OURS),
    NUMBER("run.sample_interval", UNITS_DURATION, run.sample_interval_ns, "100 ms", "1 ms", "1 h",
           SURE_JUDGEMENT, "Between two points of the time series.", OURS),
    FLAG("run.contents", run.contents, "false", SURE_JUDGEMENT,
         "Backends keep contents, lose what was not durable, and every device's screen is judged. "
         "For hundreds of users, not millions.",
         OURS),
    CHOICE("run.undecided", run.undecided, undecided, "fail", SURE_JUDGEMENT,
           "What becomes of a budget whose limit lies within the 95% interval of the figure: the "
           "run can't tell which side it is on.",
           "Ours: what has not been shown to be kept fails; a longer run decides."),
    NUMBER("run.fidelity", UNITS_SHARE, run.fidelity, "100%", "0.01%", "100%", SURE_JUDGEMENT,
           "Share of the clients that is simulated, with as much of the fleet; less than 100% "
           "samples.",
           OURS),

    NUMBER("population.users", UNITS_COUNT, population.users, "100k", "2", "4B", SURE_JUDGEMENT,
           "People who have an account, connected or not.", OURS),
    NUMBER("population.connected", UNITS_COUNT, population.connected, "32k", "1", "1B",
           SURE_DERIVED, "People connected at the simulated moment.",
           "32% of users: 147M connections of 465M monthly users, " REED14),
    NUMBER("population.devices_per_user", UNITS_FACTOR, population.devices_per_user, "1.2", "1",
           "16", SURE_JUDGEMENT, "Devices of a person, on average.",
           "Up to 4 besides the phone: "
           "https://engineering.fb.com/2021/07/14/security/whatsapp-multi-device/; the share of "
           "users who link one is ours."),
    NUMBER("population.message_rate", UNITS_RATE, population.message_rate_per_s, "74/s", "0",
           "1B/s", SURE_DERIVED,
           "Messages sent, over all, at the simulated moment: the peak. Of no effect with a trace.",
           "41 a user and day (19B in over 465M monthly users) times the peak of 1.55, " REED14),
    NUMBER("population.history_rate", UNITS_RATE, population.history_rate_per_s, "0", "0", "1B/s",
           SURE_JUDGEMENT,
           "Pages of older messages asked for, over all: a chat that is opened and scrolled.",
           "Ours: no figure found, so none by default."),
    NUMBER("population.membership_rate", UNITS_RATE, population.membership_rate_per_s, "0", "0",
           "1B/s", SURE_JUDGEMENT,
           "Members who join or leave a group, over all: half of them each.",
           "Ours: no figure found, so none by default."),
    NUMBER("population.peak_factor", UNITS_FACTOR, population.peak_factor, "1.55", "1", "100",
           SURE_DERIVED, "That rate over the mean of a day: what a day stores is by so much less.",
           "342K/s at the peak over 19B a day, " REED14),
    NUMBER("population.group_share", UNITS_SHARE, population.group_share, "14%", "0", "100%",
           SURE_JUDGEMENT, "Of messages, those to a group; the others go to one person.",
           "Fitted: 14% to 9 others and 86% to 1 make 2.1 deliveries a message, as 40B out over "
           "19B in a day, " REED14),
    NUMBER("population.group_size.mean", UNITS_FACTOR, population.group_size_mean, "10", "2",
           "200000", SURE_JUDGEMENT,
           "Members of the group of a group message, sender included: mean over messages.",
           "The same fit. Lognormal by https://tomesphere.com/paper/PMC12819457 (shape only)."),
    NUMBER("population.group_size.sigma", UNITS_FACTOR, population.group_size_sigma, "1", "0", "4",
           SURE_JUDGEMENT, "Deviation of its logarithm; 0: all groups are of the mean size.",
           "The same fit."),
    NUMBER("population.group_size.max", UNITS_COUNT, population.group_size_max, "1024", "2", "200k",
           SURE_VENDOR, "No group is larger.",
           "WhatsApp's cap: https://faq.whatsapp.com/438859978317289"),
    NUMBER("population.groups", UNITS_COUNT, population.groups, "20k", "1", "4B", SURE_JUDGEMENT,
           "Groups that exist.", "Ours: one for each five users."),
    NUMBER("population.zipf_s", UNITS_FACTOR, population.zipf_s, "1", "0", "3", SURE_JUDGEMENT,
           "Skew of activity over users: Zipf's exponent, with an offset; 0: all alike.",
           "Shape measured in 81 public groups, https://ar5iv.org/html/1804.00397; exponent ours."),
    NUMBER("population.offline_share", UNITS_SHARE, population.offline_share, "30%", "0", "100%",
           SURE_JUDGEMENT, "Of recipients, those not connected when the message is sent.",
           "Ours: below the 68% of all users who are not connected, since people write to people "
           "who answer."),
    NUMBER("population.connection_life", UNITS_DURATION, population.connection_life_ns, "640 s",
           "0", "30 d", SURE_DERIVED,
           "Mean life of a connection, exponential: the churn; 0: nobody leaves.",
           "147M connections over 230K logins/s, " REED14),
    NUMBER("population.read_share", UNITS_SHARE, population.read_share, "90%", "0", "100%",
           SURE_JUDGEMENT, "Of messages delivered, those that are ever read.", OURS),
    LAW("population.read_delay", population.read_delay, UNITS_DURATION, median, "lognormal", "60 s",
        "2", "0", "1 d", SURE_VENDOR, "From delivered to read",
        "About half are read within 60 s, " REED14 "; sigma ours."),
    LAW("population.record_size", population.record_size, UNITS_BYTES, mean, "lognormal", "200 B",
        "1", "165 B", "64 KiB", SURE_JUDGEMENT, "A message with ids, envelope and ciphertext",
        "Ours, 100 to 600 B; benchmarks use 100 B (Kafka), 170 B (Cassandra), 512 B (Migratory). "
        "Text above the floor: 6.3 tokens, 35 characters, "
        "http://whatsup-switzerland.ch/index.php/en/corpus-en"),
    TEXT("population.trace.file", TABLE_FILE, population.trace.file,
         "Real messages to replay, `src dst unix_time` a line, plain or gzip; relative to the "
         "scenario's folder. Empty: synthetic traffic.",
         OURS),
    NUMBER("population.trace.compress", UNITS_FACTOR, population.trace.compress, "1", "1e-6", "1e9",
           SURE_JUDGEMENT, "So many seconds of the trace pass in one simulated second.", OURS),

    CHOICE("client.transport", client.transport, transports, "websocket", SURE_JUDGEMENT,
           "How clients get their messages.", "The design's levels 1 to 3."),
    NUMBER("client.poll_interval", UNITS_DURATION, client.poll_interval_ns, "5 s", "1 ms", "1 d",
           SURE_JUDGEMENT, "polling: from one answer to the next request.",
           "The design's level 1."),
    NUMBER("client.poll_hold", UNITS_DURATION, client.poll_hold_ns, "30 s", "1 ms", "1 h",
           SURE_JUDGEMENT, "long_polling: how long the server holds a request open.",
           "The design's level 2."),
    NUMBER("client.poll_check", UNITS_DURATION, client.poll_check_ns, "0", "0", "1 h",
           SURE_JUDGEMENT,
           "long_polling: a naive server looks for news so often; 0: a message wakes the request.",
           "500 ms in the design's level 2."),
    NUMBER("client.http_request", UNITS_BYTES, client.http_request_bytes, "500 B", "0", "64 KiB",
           SURE_JUDGEMENT, "Headers of a polling request.", "Ours."),
    NUMBER("client.http_response", UNITS_BYTES, client.http_response_bytes, "250 B", "0", "64 KiB",
           SURE_JUDGEMENT, "Headers of its answer.", "Ours."),
    NUMBER("client.heartbeat", UNITS_DURATION, client.heartbeat_ns, "30 s", "100 ms", "1 h",
           SURE_CODE, "websocket: between two beats.",
           "WhiskeySockets/Baileys src/Defaults/index.ts @0071892: 25 s, its users mostly set 30."),
    NUMBER("client.reconnect_first", UNITS_DURATION, client.reconnect_first_ns, "1 s", "1 ms",
           "1 h", SURE_JUDGEMENT, "Back-off before the second attempt to connect; then doubles.",
           OURS),
    NUMBER("client.reconnect_max", UNITS_DURATION, client.reconnect_max_ns, "60 s", "1 ms", "1 d",
           SURE_JUDGEMENT, "The back-off grows no longer than this.", OURS),
    NUMBER("client.reconnect_jitter", UNITS_SHARE, client.reconnect_jitter, "100%", "0", "100%",
           SURE_JUDGEMENT, "Share of each wait that is drawn at random; 0 reconnects in lockstep.",
           "Ours: full jitter."),
    NUMBER("client.send_timeout", UNITS_DURATION, client.send_timeout_ns, "5 s", "10 ms", "1 h",
           SURE_JUDGEMENT, "Without an ack for so long, the same message is sent again.", OURS),
    {.path = NULL},
};
