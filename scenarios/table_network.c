/* Rows: the network, the chat servers, the fan-out workers. */
#include "scenarios/table_rows.h"

#define OURS "Ours."
#define CODAVEL "https://blog.codavel.com/performance-report-defining-use-cases"
#define CENTRIFUGO "https://centrifugal.dev/blog/2020/02/10/million-connections-with-centrifugo"
#define MIGRATORY "https://migratorydata.com/blog/websockets-benchmark-12-million-concurrent-users/"
#define SPLIT                                                                                      \
    "40 us a delivered message over 3 frames in, 4 out and 10 effects; 60 us from 30 of 40 CPU "   \
    "at 500K deliveries/s in Go, " CENTRIFUGO "; C should need less: calibrate."

#define ACCESS(name, index, share_, median_, floor_, wakeup_, loss_, rtt_source, loss_source,      \
               wakeup_source, rtt_sure)                                                            \
    NUMBER("network." name ".share", UNITS_SHARE, network.access[index].share, share_, "0",        \
           "100%", SURE_JUDGEMENT,                                                                 \
           "Of clients, those on " name ". mobile_4g, mobile_5g and wifi make 100%.", OURS),       \
        LAW("network." name ".rtt", network.access[index].rtt, UNITS_DURATION, median,             \
            "lognormal", median_, "0.6", floor_, "10 s", rtt_sure,                                 \
            "Client to server and back on " name, rtt_source),                                     \
        NUMBER("network." name ".loss", UNITS_SHARE, network.access[index].loss, loss_, "0",       \
               "50%", SURE_MEASURED, "Of packets on " name ", those lost.", loss_source),          \
        NUMBER("network." name ".wakeup", UNITS_DURATION, network.access[index].wakeup_ns,         \
               wakeup_, "0", "10 s", SURE_MEASURED,                                                \
               "What an idle radio takes before the first packet on " name ".", wakeup_source)

const struct table_row table_network[] = {
    NUMBER("network.zones", UNITS_COUNT, network.zones, "3", "1", "16", SURE_JUDGEMENT,
           "Availability zones; every tier is spread over them, node i in zone i modulo zones.",
           "Usual practice, one for each replica."),
    LAW("network.rtt_in_zone", network.rtt_in_zone, UNITS_DURATION, median, "lognormal", "0.3 ms",
        "0.5", "0.2 ms", "50 ms", SURE_JUDGEMENT, "Between servers of a zone, there and back",
        "Latency numbers after J. Dean: 0.5 ms within a datacentre "
        "(gist.github.com/jboner/2841832); median, sigma and floor ours, 0.1 to 0.5 ms. Half the "
        "floor is the simulator's lookahead."),
    LAW("network.rtt_between_zones", network.rtt_between_zones, UNITS_DURATION, median, "lognormal",
        "0.8 ms", "0.5", "0.5 ms", "50 ms", SURE_MEASURED,
        "Between servers of two zones, there and back",
        "AWS eu-west-1, 5 min of ping: mean 0.82 ms, max 12.3 ms, "
        "https://lukasliesis.medium.com/"
        "what-is-aws-ec2-cross-availability-zones-network-lag-vs-inside-same-zone-827a4e06b6d7; "
        "sigma and floor ours."),
    ACCESS("mobile_4g", PLAN_ACCESS_4G, "35%", "50 ms", "15 ms", "75 ms", "0.3%",
           "25 ms UK, 50 ms US, DE, JP: " CODAVEL "; sigma and floor ours.",
           "0.2 to 0.5%: " CODAVEL,
           "I. Grigorik: idle to active below 100 ms, dormant below 50, "
           "https://hpbn.co/mobile-networks/",
           SURE_MEASURED),
    ACCESS("mobile_5g", PLAN_ACCESS_5G, "15%", "35 ms", "6 ms", "75 ms", "0.3%",
           "Lowest 6 ms, top 5% of users see a minimum below 20: "
           "https://arxiv.org/html/2507.18834v1; median and sigma ours.",
           "As 4G: " CODAVEL, "As 4G: https://hpbn.co/mobile-networks/", SURE_DERIVED),
    ACCESS("wifi", PLAN_ACCESS_WIFI, "50%", "20 ms", "4 ms", "0", "0.2%",
           "10 ms UK, JP; 25 ms US, DE: " CODAVEL "; sigma and floor ours.",
           "0.1 to 0.2%: " CODAVEL, "Ours: none.", SURE_MEASURED),
    NUMBER("network.framing", UNITS_BYTES, network.framing_bytes, "80 B", "0", "1 kB",
           SURE_STANDARD, "Around a small message to or from a client.",
           "WebSocket 2 to 14 B (RFC 6455), TLS 1.3 record 22 B (RFC 8446), TCP/IP 40 to 52 B."),
    NUMBER("network.framing_inside", UNITS_BYTES, network.framing_inside_bytes, "80 B", "0", "1 kB",
           SURE_JUDGEMENT, "Around a request or an answer between servers.",
           "Ours: Ethernet, IP and TCP 66 B, and a small protocol header."),
    NUMBER("network.handshake_round_trips", UNITS_COUNT, network.handshake_round_trips, "3", "1",
           "10", SURE_STANDARD, "Until a socket can be used.",
           "TCP 1, TLS 1.3 1 (RFC 8446), WebSocket's HTTP exchange 1 (RFC 6455)."),
    NUMBER("network.retransmit_timeout", UNITS_DURATION, network.retransmit_timeout_ns, "200 ms",
           "1 ms", "1 min", SURE_CODE, "After a lost packet; doubles.",
           "Linux include/net/tcp.h, TCP_RTO_MIN (from memory); RFC 6298 asks for 1 s."),
    NUMBER(
        "network.idle_timeout", UNITS_DURATION, network.idle_timeout_ns, "240 s", "1 s", "1 d",
        SURE_VENDOR,
        "A connection silent for so long is forgotten by something on the path: why heartbeats are "
        "more frequent.",
        "Azure 4 min (learn.microsoft.com, InboundNatRule); AWS NLB 350 s, "
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/"
        "update-idle-timeout.html"),

    NUMBER("gateway.servers", UNITS_COUNT, gateway.servers, "3", "1", "1024", SURE_JUDGEMENT,
           "Chat servers, which hold the connections and mint ids; these have 10 bits for the "
           "machine.",
           "Ours: one in each zone."),
    NUMBER("gateway.cores", UNITS_COUNT, gateway.cores, "16", "1", "64", SURE_JUDGEMENT,
           "Workers of a server, one a core.", "Ours; WhatsApp's had 20 in 2014."),
    NUMBER("gateway.connections_max", UNITS_COUNT, gateway.connections_max, "100k", "1", "20M",
           SURE_VENDOR, "Connections that a server takes.",
           "LinkedIn 100K a node, "
           "https://www.infoq.com/presentations/linkedin-play-akka-distributed-systems/; WhatsApp "
           "1M in 2014, 2.8M in 2012."),
    NUMBER("gateway.memory", UNITS_BYTES, gateway.memory_bytes, "64 GB", "64 MB", "10 TB",
           SURE_VENDOR, "Memory of a server.", "WhatsApp's 20-core servers of 2014: 64 GB."),
    NUMBER("gateway.connection_kernel", UNITS_BYTES, gateway.connection_kernel_bytes, "3 kB", "0",
           "10 MB", SURE_MEASURED, "Kernel memory of an idle connection.",
           "36 GB for 12M sockets: " MIGRATORY),
    NUMBER("gateway.connection_user", UNITS_BYTES, gateway.connection_user_bytes, "4 kB", "0",
           "10 MB", SURE_MEASURED, "The server's own memory of a connection.",
           "1M below 1 GB in Go with epoll, https://finds.dev/repo/eranyanay/1m-go-websockets; 27 "
           "GB for 1M, " CENTRIFUGO "; the value is ours."),
    NUMBER("gateway.connection_tls", UNITS_BYTES, gateway.connection_tls_bytes, "10 kB", "0",
           "10 MB", SURE_VENDOR, "TLS memory of a connection.",
           "A. Langley 2010: below 10 KB in production, "
           "https://www.imperialviolet.org/2010/06/25/overclocking-ssl.html"),
    NUMBER("gateway.nic", UNITS_BYTE_RATE, gateway.nic_bytes_per_s, "10 Gbps", "1 kB/s", "100 GB/s",
           SURE_JUDGEMENT, "Network of a server, each way.", OURS),
    NUMBER("gateway.cpu_frame_in", UNITS_DURATION, gateway.cpu_frame_in_ns, "5 us", "0", "1 s",
           SURE_DERIVED, "CPU for a frame from a client.", SPLIT),
    NUMBER("gateway.cpu_frame_out", UNITS_DURATION, gateway.cpu_frame_out_ns, "3 us", "0", "1 s",
           SURE_DERIVED, "CPU for a frame to a client: message, ack, receipt.", SPLIT),
    NUMBER("gateway.cpu_effect", UNITS_DURATION, gateway.cpu_effect_ns, "1.3 us", "0", "1 s",
           SURE_DERIVED,
           "CPU for asking a backend or another server for something, with the answer.", SPLIT),
    NUMBER("gateway.cpu_byte", UNITS_COST, gateway.cpu_byte_ps, "1 ns/B", "0", "1 us/B",
           SURE_JUDGEMENT, "CPU for a byte of a record passed on.",
           "Ours: copies and AES-GCM at some GB/s."),
    NUMBER("gateway.cpu_poll", UNITS_DURATION, gateway.cpu_poll_ns, "20 us", "0", "1 s",
           SURE_JUDGEMENT, "CPU for an HTTP request that asks for news, besides its effects.",
           OURS),
    NUMBER("gateway.cpu_idle", UNITS_DURATION, gateway.cpu_idle_ns, "10 us", "0", "10 ms",
           SURE_MEASURED,
           "CPU for a connected client, each second: timers and the like. Heartbeats come on top, "
           "each a "
           "frame in and a frame out.",
           "About 10 CPU for 1M connections with few messages: " CENTRIFUGO),
    NUMBER("gateway.cpu_handshake", UNITS_DURATION, gateway.cpu_handshake_ns, "0.5 ms", "0", "1 s",
           SURE_VENDOR, "CPU for a TLS handshake.",
           "Above 2,000/s a core with P-256: "
           "https://shadrin.org/nginx/blog/content/nginx-ssl-performance.html"),
    NUMBER("gateway.tls_share", UNITS_SHARE, gateway.tls_share, "2%", "0", "100%", SURE_MEASURED,
           "TLS in steady state, added to the CPU costs above.",
           "BoringSSL 1.8% of CPU: "
           "https://blog.cloudflare.com/how-expensive-is-crypto-anyway/"),

    NUMBER("fanout.servers", UNITS_COUNT, fanout.servers, "3", "1", "1024", SURE_JUDGEMENT,
           "Fan-out workers, which consume the log and find the recipients.",
           "Ours: one in each zone."),
    NUMBER("fanout.cores", UNITS_COUNT, fanout.cores, "8", "1", "64", SURE_JUDGEMENT,
           "Cores of each.", OURS),
    NUMBER("fanout.nic", UNITS_BYTE_RATE, fanout.nic_bytes_per_s, "10 Gbps", "1 kB/s", "100 GB/s",
           SURE_JUDGEMENT, "Network of each, each way.", OURS),
    NUMBER("fanout.cpu_record", UNITS_DURATION, fanout.cpu_record_ns, "3 us", "0", "1 s",
           SURE_JUDGEMENT, "CPU for a record consumed.", "Ours, as gateway.cpu_frame_out."),
    NUMBER("fanout.cpu_recipient", UNITS_DURATION, fanout.cpu_recipient_ns, "1.3 us", "0", "1 s",
           SURE_JUDGEMENT, "CPU for a device looked up and appended to.",
           "Ours, as gateway.cpu_effect."),
    NUMBER("fanout.cpu_route", UNITS_DURATION, fanout.cpu_route_ns, "1.3 us", "0", "1 s",
           SURE_JUDGEMENT, "CPU for telling a gateway.", "Ours, as gateway.cpu_effect."),
    NUMBER("fanout.cpu_byte", UNITS_COST, fanout.cpu_byte_ps, "1 ns/B", "0", "1 us/B",
           SURE_JUDGEMENT, "CPU for a byte of a record.", "Ours, as gateway.cpu_byte."),
    NUMBER("fanout.in_flight_max", UNITS_COUNT, fanout.in_flight_max, "4096", "1", "65536",
           SURE_JUDGEMENT,
           "Records that a core works on at a time; each broker may send its share of them, 1 at "
           "least, and 64 of a partition at most.",
           OURS),
    {.path = NULL},
};
