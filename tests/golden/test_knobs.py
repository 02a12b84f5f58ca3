#!/usr/bin/env python3
"""Every parameter of a scenario has an effect: changing it changes the result of a small run.

Each path that `chatscale schema --reference` prints stands in CHANGES, with the run in which it must show and a
value other than that run's, or in EXEMPT, with the reason. A run's result is its JSON without the plan and without
facts of the machine. Usage: test_knobs.py [PATH...]; the binary is $CHATSCALE.
"""
import json, os, re, subprocess, sys, tempfile, threading
from concurrent.futures import ThreadPoolExecutor

CHATSCALE = os.environ["CHATSCALE"]

# Runs, as layers over scenarios/tiny.json. All have traffic enough for each path of the code.
FAST = ["run.warmup=500 ms", "run.duration=3 s", "run.drain=1 s", "population.message_rate=60/s",
        "population.group_share=40%", "population.connection_life=10 s", "population.history_rate=10/s",
        "population.membership_rate=2/s", "population.read_delay.median=200 ms"]
BASES = {
    "plain": FAST,
    "apart": FAST + ["routing=sticky"],
    "wide": FAST + ["run.duration=10 s", "population.message_rate=100/s"],
    "poll": FAST + ["client.transport=polling", "client.poll_interval=500 ms"],
    "held": FAST + ["client.transport=long_polling", "client.poll_hold=1 s", "population.message_rate=5/s"],
    "mark": FAST + ["core.receipts=watermark", "core.receipts_window=100 ms"],
    "mute": FAST + ["client.heartbeat=1 h", "network.idle_timeout=2 s", "population.message_rate=1/s",
                    "population.connection_life=0"],
    "fetch": FAST + ["kafka.fetch_min=2 kB", "kafka.fetch_wait=50 ms"],
    "fetch_few": FAST + ["kafka.fetch_min=2 kB", "kafka.fetch_wait=50 ms", "kafka.fetch_partition=300 B",
                         "kafka.partitions=48"],
    "saves": FAST + ["redis.save_period=300 ms", "redis.fork_stall_per_gb=10 s"],
    "kept": FAST + ["run.contents=true", "population.read_delay.median=200 ms"],
    "quiet": FAST + ["population.message_rate=1/s", "population.history_rate=0", "run.duration=25 s"],
    "far": FAST + ["population.offline_share=70%"],
    "full": FAST + ["gateway.connections_max=40", "client.reconnect_first=100 ms"],
    "eager": FAST + ["kafka.linger=0", "kafka.cpu_request=20 ms"],
}
# Faults at times of their own, each long enough to be noticed.
FAULTS = [
    {"kind": "kill", "tier": "gateway", "index": 1, "at": "500 ms", "duration": "1 s"},
    {"kind": "kill", "tier": "kafka", "index": 0, "at": "2 s", "duration": "3 s"},
    {"kind": "kill", "tier": "fanout", "index": 2, "at": "4 s", "duration": "3 s"},
    {"kind": "kill", "tier": "cassandra", "index": 0, "at": "6 s", "duration": "2 s"},
    {"kind": "kill", "tier": "cassandra", "index": 1, "at": "6.5 s", "duration": "2 s"},
    {"kind": "kill", "tier": "redis", "index": 2, "at": "7 s", "duration": "3 s"},
    {"kind": "pause", "tier": "cassandra", "at": "11 s", "duration": "1 s"},
    {"kind": "loss", "tier": "client", "loss": "20%", "at": "1 s", "duration": "2 s"},
]
BROKEN = FAST + ["run.duration=14 s", "run.drain=6 s", "kafka.failover=500 ms", "kafka.session_timeout=700 ms",
                 "kafka.rebalance_pause=300 ms", "redis.failover=500 ms", "cassandra.write_timeout=300 ms",
                 "cassandra.read_timeout=300 ms", "redis.timeout=300 ms", "kafka.delivery_timeout=500 ms",
                 "core.redeliver=1 s", "core.presence_ttl=3 s"]

def law(path, base, centre, value, **more):
    changes = {f"{path}.law": (base, "constant"), f"{path}.{centre}": (base, value),
               f"{path}.sigma": (base, "0.1"), f"{path}.floor": (base, "1 ms"), f"{path}.max": (base, value)}
    changes.update({f"{path}.{key}": change for key, change in more.items()})
    return changes

# path: (run, value, what must change with it)
CHANGES = {
    "routing": ("plain", "kafka"),
    "run.warmup": ("plain", "700 ms"), "run.duration": ("plain", "2 s"), "run.drain": ("plain", "0"),
    "run.seed": ("plain", "2"), "run.sample_interval": ("plain", "50 ms"), "run.contents": ("plain", "true"),
    "run.fidelity": ("plain", "70%"),
    "population.users": ("far", "400"), "population.connected": ("plain", "90"),
    "population.devices_per_user": ("plain", "1.5"), "population.message_rate": ("plain", "50/s"),
    "population.history_rate": ("plain", "0"), "population.membership_rate": ("plain", "0"),
    "population.peak_factor": ("plain", "3"), "population.group_share": ("plain", "0"),
    "population.group_size.mean": ("plain", "8"), "population.group_size.sigma": ("plain", "0"),
    "population.group_size.max": ("plain", "6"), "population.groups": ("plain", "7"),
    "population.zipf_s": ("plain", "2"), "population.offline_share": ("plain", "80%"),
    "population.connection_life": ("plain", "0"), "population.read_share": ("plain", "10%"),
    **law("population.read_delay", "kept", "median", "1 s", max=("kept", "300 ms")),
    **law("population.record_size", "plain", "mean", "300 B", floor=("plain", "170 B"), max=("plain", "220 B")),
    "population.trace.compress": ("trace", "4"),
    "client.transport": ("plain", "polling"),
    "client.poll_interval": ("poll", "300 ms"), "client.poll_hold": ("held", "700 ms"),
    "client.poll_check": ("held", "200 ms"), "client.http_request": ("poll", "600 B"),
    "client.http_response": ("poll", "350 B"), "client.heartbeat": ("plain", "1 s"),
    "client.reconnect_first": ("broken", "300 ms"), "client.reconnect_max": ("full", "150 ms"),
    "client.reconnect_jitter": ("broken", "50%"), "client.send_timeout": ("broken", "1 s"),
    "network.zones": ("plain", "2"),
    **law("network.rtt_in_zone", "plain", "median", "0.5 ms", floor=("plain", "0.25 ms")),
    **law("network.rtt_between_zones", "plain", "median", "1 ms", floor=("plain", "0.6 ms")),
    **law("network.mobile_4g.rtt", "plain", "median", "80 ms"), **law("network.mobile_5g.rtt", "plain", "median", "50 ms"),
    **law("network.wifi.rtt", "plain", "median", "30 ms"),
    "network.mobile_4g.share": ("plain", "45%", "network.wifi.share=40%"),
    "network.mobile_5g.share": ("plain", "25%", "network.wifi.share=40%"),
    "network.wifi.share": ("plain", "40%", "network.mobile_5g.share=25%"),
    "network.mobile_4g.loss": ("plain", "10%"), "network.mobile_5g.loss": ("plain", "10%"),
    "network.wifi.loss": ("plain", "10%"), "network.mobile_4g.wakeup": ("quiet", "200 ms"),
    "network.mobile_5g.wakeup": ("quiet", "200 ms"), "network.wifi.wakeup": ("quiet", "200 ms"),
    "network.framing": ("plain", "100 B"), "network.framing_inside": ("plain", "100 B"),
    "network.handshake_round_trips": ("plain", "1"), "network.retransmit_timeout": ("broken", "400 ms"),
    "network.idle_timeout": ("mute", "1 s"),
    "gateway.servers": ("plain", "4"), "gateway.cores": ("plain", "3"), "gateway.connections_max": ("plain", "40"),
    "gateway.memory": ("plain", "32 GB"), "gateway.connection_kernel": ("plain", "4 kB"),
    "gateway.connection_user": ("plain", "5 kB"), "gateway.connection_tls": ("plain", "11 kB"),
    "gateway.nic": ("plain", "1 MB/s"), "gateway.cpu_frame_in": ("plain", "6 us"),
    "gateway.cpu_frame_out": ("plain", "4 us"), "gateway.cpu_effect": ("plain", "2 us"),
    "gateway.cpu_byte": ("plain", "2 ns/B"), "gateway.cpu_poll": ("poll", "30 us"),
    "gateway.cpu_idle": ("plain", "20 us"), "gateway.cpu_handshake": ("plain", "1 ms"),
    "gateway.tls_share": ("plain", "5%"),
    "fanout.servers": ("plain", "2"), "fanout.cores": ("plain", "2"), "fanout.nic": ("plain", "1 MB/s"),
    "fanout.cpu_record": ("plain", "4 us"), "fanout.cpu_recipient": ("plain", "2 us"),
    "fanout.cpu_route": ("plain", "2 us"), "fanout.cpu_byte": ("plain", "2 ns/B"),
    "fanout.in_flight_max": ("plain", "1"),
    "kafka.brokers": ("plain", "4"), "kafka.partitions": ("plain", "5"), "kafka.replication": ("plain", "2"),
    "kafka.min_insync": ("broken", "3"), "kafka.acks": ("plain", "leader"), "kafka.linger": ("plain", "4 ms"),
    "kafka.batch": ("plain", "1 B"), "kafka.requests_in_flight_max": ("eager", "1"),
    "kafka.delivery_timeout": ("broken", "700 ms"), "kafka.network_threads": ("plain", "30"),
    "kafka.io_threads": ("plain", "30"), "kafka.cpu_request": ("plain", "50 us"), "kafka.cpu_record": ("plain", "1 us"),
    "kafka.cpu_byte": ("plain", "2 ns/B"), "kafka.nic": ("plain", "1 MB/s"), "kafka.disk_rate": ("plain", "1 MB/s"),
    "kafka.disk": ("plain", "1 TB"), "kafka.retention": ("plain", "24 h"), "kafka.batch_overhead": ("plain", "70 B"),
    "kafka.record_overhead": ("plain", "12 B"), "kafka.key": ("plain", "16 B"), "kafka.fetch_min": ("plain", "2 kB"),
    "kafka.fetch_wait": ("fetch", "100 ms"), "kafka.fetch_partition": ("fetch", "1 B"), "kafka.fetch": ("fetch_few", "300 B"),
    "kafka.session_timeout": ("broken", "1 s"), "kafka.rebalance_pause": ("broken", "600 ms"),
    "kafka.failover": ("broken", "800 ms"),
    "cassandra.nodes": ("plain", "4"), "cassandra.replication": ("plain", "2"), "cassandra.consistency": ("plain", "one"),
    "cassandra.cores": ("plain", "8"), "cassandra.write_slots": ("plain", "1"), "cassandra.read_slots": ("plain", "1"),
    "cassandra.cpu_write": ("plain", "700 us"), "cassandra.cpu_read": ("plain", "2 ms"),
    "cassandra.cpu_coordinate": ("plain", "700 us"), "cassandra.cpu_compact": ("plain", "20 ns/B"),
    **law("cassandra.read_disk", "plain", "median", "2 ms"),
    "cassandra.lwt_rounds": ("plain", "2"), "cassandra.write_amplification": ("plain", "5"),
    "cassandra.compaction_rate": ("plain", "10 kB/s"), "cassandra.disk_rate": ("plain", "1 MB/s"),
    "cassandra.disk": ("plain", "2 TB"), "cassandra.disk_usable": ("plain", "60%"),
    "cassandra.retention": ("plain", "30 d"), "cassandra.row_overhead": ("plain", "15 B"),
    "cassandra.cell_overhead": ("plain", "5 B"), "cassandra.receipt": ("plain", "80 B"),
    "cassandra.commitlog_sync": ("lost", "0"), "cassandra.gc_pause": ("wide", "200 ms"),
    "cassandra.gc_period": ("wide", "3 s"), "cassandra.write_timeout": ("broken", "500 ms"),
    "cassandra.read_timeout": ("broken", "500 ms"), "cassandra.hint_window": ("broken", "0"),
    "cassandra.coordinator_max": ("plain", "1"), "cassandra.nic": ("plain", "1 MB/s"),
    "redis.shards": ("plain", "2"), "redis.replicas": ("plain", "0"), "redis.cpu_command": ("plain", "2 us"),
    "redis.cpu_round_trip": ("plain", "10 us"), "redis.cpu_byte": ("plain", "2 ns/B"),
    "redis.pipeline_max": ("plain", "1"), "redis.key_overhead": ("plain", "130 B"), "redis.presence": ("plain", "120 B"),
    "redis.list_overhead": ("plain", "140 B"), "redis.element_overhead": ("plain", "9 B"),
    "redis.memory": ("plain", "8 GB"), "redis.rss_ratio": ("plain", "1.5"), "redis.save_ratio": ("plain", "1.5"),
    "redis.save_period": ("saves", "200 ms"), "redis.fork_stall_per_gb": ("saves", "5 s"),
    "redis.failover": ("broken", "800 ms"), "redis.timeout": ("broken", "500 ms"), "redis.nic": ("plain", "1 MB/s"),
    "push.apns_share": ("plain", "10%"), **law("push.apns_latency", "plain", "median", "200 ms", max=("far", "2 s")),
    **law("push.fcm_latency", "plain", "median", "200 ms", max=("plain", "3 s")),
    "push.loss": ("plain", "50%"), "push.quota": ("plain", "1/s"), "push.timeout": ("cut", "200 ms"),
    "push.payload": ("plain", "512 B"),
    "core.receipts": ("plain", "watermark"), "core.receipts_window": ("mark", "300 ms"),
    "core.hybrid_threshold": ("plain", "3"), "core.presence_ttl": ("plain", "2 s"), "core.inbox_ttl": ("kept", "1 s"),
    "core.claim_ttl": ("plain", "30 d"), "core.member_cache_ttl": ("plain", "0"), "core.retry_first": ("broken", "300 ms"),
    "core.retry_max": ("broken", "200 ms"), "core.redeliver": ("broken", "3 s"), "core.history_page": ("plain", "5"),
}
EXEMPT = {
    "name": "a text, for reports", "about": "a text, for reports", "level": "a label, for reports",
    "population.trace.file": "a path; a run with a trace is the base of population.trace.compress",
    "claims[].id": "judged by reports, not simulated", "claims[].value": "as claims[].id",
    "claims[].about": "a text", "claims[].at": "as claims[].id", "run.undecided": "as budgets[]", "budgets[]": "judged by reports, not simulated",
}
# A fault, and what is changed of it.
FAULT = {"kind": "slow", "tier": "gateway", "at": "500 ms", "duration": "1 s", "factor": 100}
FAULT_CHANGES = {
    "kind": {"kind": "pause"}, "tier": {"tier": "fanout"}, "at": {"at": "600 ms"}, "duration": {"duration": "2 s"},
    "index": {"index": 1}, "zone": {"zone": 1}, "count": {"count": 2}, "factor": {"factor": 200},
}
RANDOM = {"kind": "slow", "tier": "gateway", "mtbf": "1 s", "mttr": "300 ms", "factor": 100}
RANDOM_CHANGES = {"kind": {"kind": "pause"}, "tier": {"tier": "fanout"}, "mtbf": {"mtbf": "2 s"},
                  "mttr": {"mttr": "500 ms"}, "factor": {"factor": 200}}
LOSS = {"kind": "loss", "tier": "gateway", "at": "500 ms", "duration": "2 s", "loss": "10%"}
SKEW = {"kind": "skew", "tier": "gateway", "index": 0, "at": "0", "duration": "3 s", "skew": "1 s"}


def result(scenario, sets):
    """What came of it, as text; None where the run was refused."""
    command = [CHATSCALE, "run", scenario, "--threads", "1", "--json", "--quiet"]
    for each in sets:
        command += ["--set", each]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode not in (0, 1) or not run.stdout:
        return None, " ".join(command) + "\n" + run.stderr
    told = json.loads(run.stdout)
    for key in ("scenario", "run", "host"):
        told.pop(key, None)
    return json.dumps(told, sort_keys=True), " ".join(command)


class Knobs:
    def __init__(self, folder):
        self.folder, self.runs, self.lock = folder, {}, threading.Lock()

    def write(self, name, layers):
        path = os.path.join(self.folder, name + ".json")
        with self.lock:
            if not os.path.exists(path):
                with open(path, "w") as file:
                    json.dump({"extends": os.path.abspath("scenarios/tiny.json"), **layers}, file)
        return path

    def base(self, name):
        """A run's scenario and overrides."""
        if name == "broken":
            return self.write("broken", {"faults": FAULTS}), BROKEN
        if name == "lost": # All of Cassandra at once, so that what was not synced is gone.
            fault = {"kind": "kill", "tier": "cassandra", "at": "2 s", "duration": "300 ms"}
            return self.write("lost", {"faults": [fault]}), BASES["kept"]
        if name == "cut":
            fault = {"kind": "kill", "tier": "push", "at": "500 ms", "duration": "2 s"}
            return self.write("cut", {"faults": [fault]}), FAST
        if name == "trace":
            path = os.path.join(self.folder, "trace.txt")
            with self.lock, open(path, "w") as file:
                file.writelines(f"{i % 9 + 1} {i % 7 + 20} {1000 + i // 20}\n" for i in range(200))
            return self.write("trace", {"population": {"trace": {"file": path}}}), FAST
        return "scenarios/tiny.json", BASES[name]

    def changed(self, before, after):
        """None, or what is wrong."""
        key = (before[0], tuple(before[1]))
        if key not in self.runs:
            self.runs[key] = result(*before)
        old, said = self.runs[key]
        new, new_said = result(*after)
        if old is None or new is None:
            return "refused: " + (said if old is None else new_said)
        return f"no effect: {new_said}" if old == new else None

    def knob(self, path):
        if path in CHANGES:
            name, value, *more = CHANGES[path]
            scenario, sets = self.base(name)
            return self.changed((scenario, sets), (scenario, [*sets, f"{path}={value}", *more]))
        array, _, field = path.partition("[].")
        fault, changes = (FAULT, FAULT_CHANGES) if array == "faults" else (RANDOM, RANDOM_CHANGES)
        if field == "loss":
            fault = LOSS if array == "faults" else {**RANDOM, "kind": "loss", "loss": "10%"}
            changes = {"loss": {"loss": "40%"}}
        elif field == "skew":
            fault, changes = SKEW, {"skew": {"skew": "-1 s"}}
        if array not in ("faults", "random_faults") or field not in changes:
            return "stands in neither CHANGES nor EXEMPT of tests/golden/test_knobs.py"
        sets = BASES["kept"] if field == "skew" else FAST
        name = path.replace("[].", "-")
        before = self.write(name, {array: [fault]})
        return self.changed((before, sets), (self.write(name + "-changed", {array: [{**fault, **changes[field]}]}), sets))


def main():
    reference = subprocess.run([CHATSCALE, "schema", "--reference"], capture_output=True, text=True, check=True).stdout
    paths = re.findall(r"^\| `([a-z_0-9.\[\]]+)` \|", reference, re.M)
    assert len(paths) > 200, paths
    wrong = [f"{path}: there is no such parameter" for path in [*CHANGES, *EXEMPT] if path not in paths]
    chosen = sys.argv[1:] or [path for path in paths if path not in EXEMPT]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        knobs = Knobs(folder)
        wrong += [f"{path}: {said}" for path, said in zip(chosen, pool.map(knobs.knob, chosen)) if said]
    for each in wrong:
        print(each)
    print(f"{len(chosen)} parameters, {len(wrong)} without effect or in doubt")
    return 1 if wrong else 0


sys.exit(main())
