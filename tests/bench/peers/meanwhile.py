#!/usr/bin/env python3
"""How many jobs each system completed a second while questions were being accepted (phase intake_live), which the harness does not tell.

meanwhile.py sample SAMPLES.tsv              counts results stored in every database peer_* twice a second, until it is stopped
meanwhile.py report RESULTS.jsonl SAMPLES.tsv    a line a system
The count is that of the table's inserts in the server's statistics: it survives the harness' TRUNCATE and costs no scan; it may lag by a second.
Standard library only; PB_PG as the harness.
"""
import datetime, json, os, statistics, subprocess, sys, time

PG = os.environ.get("PB_PG", "postgresql://postgres@127.0.0.1:5432").rstrip("/")
COUNT = "SELECT coalesce(sum(n_tup_ins), 0) FROM pg_stat_user_tables WHERE relname = 'analysis_results';\n"


def psql(database):
    return subprocess.Popen(["psql", f"{PG}/{database}", "-qAtX"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1)


def ask(session, query):
    session.stdin.write(query)
    return session.stdout.readline().strip()


def sample(path):
    sessions, listed = {}, 0.0
    with open(path, "w") as out:
        while True:
            now = time.time()
            if now - listed > 10:
                listed = now
                names = subprocess.run(["psql", f"{PG}/postgres", "-qAtXc", "SELECT datname FROM pg_database WHERE datname LIKE 'peer\\_%' AND datname <> 'peer_customer'"],
                                       capture_output=True, text=True).stdout.split()
                for name in names:
                    if name not in sessions:
                        sessions[name] = psql(name)
            for name, session in list(sessions.items()):
                try:
                    out.write(f"{time.time():.3f}\t{name}\t{int(ask(session, COUNT))}\n")
                except (OSError, ValueError):
                    del sessions[name]
            out.flush()
            time.sleep(0.5)


def report(results, samples):
    counts = {}
    for line in open(samples):
        at, name, count = line.rstrip("\n").split("\t")
        counts.setdefault(name, []).append((float(at), int(count)))
    rates = {}
    for line in open(results):
        r = json.loads(line)
        if r["phase"] != "intake_live" or "secs" not in r:
            continue
        name = "peer_" + r["system"].split("-")[0]
        series = counts.get(name, [])
        if not series:
            continue
        # The record's time has no date: the day of the samples, or the next one after midnight.
        day = datetime.datetime.fromtimestamp(series[0][0])
        end = datetime.datetime.combine(day.date(), datetime.time.fromisoformat(r["t"])).timestamp()
        if end < series[0][0] - 1:
            end += 86400
        inside = [(at, count) for at, count in series if end - r["secs"] <= at <= end]
        if len(inside) > 1 and inside[-1][0] > inside[0][0]:
            rates.setdefault(r["system"], []).append((inside[-1][1] - inside[0][1]) / (inside[-1][0] - inside[0][0]))
    for system, values in rates.items():
        print(f"jobs completed a second while accepting (intake_live): {system} {statistics.median(values):,.0f} ({min(values):,.0f}-{max(values):,.0f})")


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "sample":
        sample(sys.argv[2])
    elif len(sys.argv) == 4 and sys.argv[1] == "report":
        report(*sys.argv[2:])
    else:
        sys.exit(__doc__)
