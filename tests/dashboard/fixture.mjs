// States that a real cluster takes days to reach, in the API's own shape (test_fixture.py compares
// its fields with the protos), and a server that shows the page over them.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";

const EDGES_US = [10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7, 3e7];
const SIZES = [14, 16, 18, 20, 22, 24, 26].map((bits) => String(2 ** bits));
const base64 = (hex) => Buffer.from(hex, "hex").toString("base64");
// The same figures at every call.
const noise = (i) => ((Math.sin(i * 12.9898) * 43758.5453) % 1 + 1) % 1;

// Calls around the bucket `peak`, with a tail to the slow side.
function series(stage, tier, size_class, transport, peak, calls, i = 0, urgency = "STANDARD") {
  const counts = EDGES_US.map((_, b) => Math.round(calls * Math.exp(-((b - peak) ** 2)) + calls * 0.01 * (b > peak ? Math.exp((peak - b) / 1.5) : 0) * noise(i + b)));
  while (counts.length > 0 && counts.at(-1) === 0) counts.pop();
  return { stage, tier, size_class, tenant_id: 0, transport, urgency, counts: counts.map(String), sum_ns: String(Math.round(calls * EDGES_US[peak] * 700)) };
}

function hits(scale, share) {
  const blocks = 4000 * scale;
  const missed = Math.round(blocks * (1 - share));
  const miss = (reason, of) => ({ reason, blocks: String(Math.round(missed * of)), tokens: String(Math.round(missed * of) * 32) });
  return {
    requested_blocks: String(blocks), hit_blocks: String(blocks - missed), requested_tokens: String(blocks * 32), hit_tokens: String((blocks - missed) * 32),
    misses: [miss("absent", 0.9), miss("node_down", 0.07), miss("deadline", 0.03)], answered: String(600 * scale), late: "0",
  };
}

function node(i, state) {
  return {
    node_id: base64(`${i}f3a9c0d77e14b2285c6d1e0f9a8b7${i}c4`), incarnation: String(1764255600000 + i), state,
    reactor_addresses: [`10.20.0.1${i}:7411`, `10.20.0.1${i}:7412`], http_address: `10.20.0.1${i}:9400`,
    capacity_bytes: String(1280 * 2 ** 30), used_bytes: String((1090 + 35 * i) * 2 ** 30), block_count: String(1_120_000 + 7000 * i), pinned_blocks: String(31 * i),
    last_heartbeat_age_ms: state === "lost" ? "48200" : "310", indexed_blocks: String(1_120_000 + 7000 * i), version: "0.1.0", queued_blocks: String(4 * i), transport: i === 3 ? "tcp" : "rdma",
    counters: { gets: "48211930", get_hits: "36120004", get_bytes: String(33 * 2 ** 40), puts: "9120443", put_bytes: String(8 * 2 ** 40), evicted_blocks: "7022110", checksum_failures: i === 2 ? "3" : "0", conflicts: "0", sessions: "64" },
    nvme: { capacity_bytes: String(1024 * 2 ** 30), used_bytes: String((870 + 30 * i) * 2 ** 30), blocks: "880000", hits: "1203311", read_bytes: String(2 * 2 ** 40), written_bytes: String(3 * 2 ** 40), errors: i === 2 ? "4" : "0", drives_failed: 0, write_budget_bytes: String(2 ** 40), write_budget_left_bytes: String(i === 3 ? 0 : 340 * 2 ** 30) },
  };
}

const burn = (long, short, factor, long_rate, short_rate, firing, severity) => ({ long_window_s: String(long), short_window_s: String(short), factor, long_rate, short_rate, firing, severity });
const burns = (x, firing) => [burn(3600, 300, 14.4, x, x * 1.2, firing, "page"), burn(21600, 1800, 6, x * 0.4, x * 0.8, false, "ticket"), burn(259200, 21600, 1, x * 0.05, x * 0.1, false, "ticket")];
const latency = (name, tenant, threshold_us) => ({ name, kind: "LATENCY", tenant, tier: "DRAM_TIER", size_class: 3, threshold_ns: String(threshold_us * 1000), target_ppm: 999000, window_s: "2592000" });

function objectives(now) {
  return [
    { objective: latency("chat-fast", "chat", 1000), good: "402113200", total: "403001877", attainment: 0.9978, budget_left: -0.2, burns: burns(16.2, true), exhausted_in_s: "0", verdict: "exhausted", history_s: "86400" },
    { objective: { ...latency("batch-answered", "", 0), kind: "ANSWERED", tier: "DRAM_TIER", size_class: 0 }, good: "98113", total: "98140", attainment: 0.99972, budget_left: 0.41, burns: burns(7.1, false), exhausted_in_s: "205000", verdict: "burning", history_s: "86400" },
    { objective: latency("agents-fast", "agents", 2000), good: "8113200", total: "8113310", attainment: 0.999986, budget_left: 0.986, burns: burns(0.2, false), exhausted_in_s: "-1", verdict: "ok", history_s: "86400" },
    { objective: latency("idle", "nobody", 500), good: "0", total: "0", attainment: 1, budget_left: 1, burns: burns(0, false), exhausted_in_s: "-1", verdict: "no_traffic", history_s: String(Math.min(86400, now)) },
  ];
}

const HOSTILE = '<img src=x onerror="window.hostile=1">';

export function burning(unixMs) {
  const finding = (id, severity, title, evidence, remedy, age_s, subject) => ({ id, severity, title, evidence, remedy, since_unix_ms: String(unixMs - age_s * 1000), subject });
  const event = (sequence, age_s, kind, subject, text) => ({ sequence: String(sequence), unix_ms: String(unixMs - age_s * 1000), kind, subject, text });
  const all = (peak, side) => [series("TOTAL", "DRAM_TIER", 3, "rdma", peak, 9000), series("TOTAL", "DRAM_TIER", 2, "rdma", peak - 1, 4000), series("TOTAL", "NVME_TIER", 3, "rdma", peak + 3, 600), series("TOTAL", "DRAM_TIER", 3, "tcp", peak + 2, 900, 0, "BATCH"), ...side];
  return {
    unix_ms: String(unixMs), version: "0.1.0",
    status: { cluster_id: base64("9c41d07e55ab4f0e8d2233445566ff01"), nodes: [node(1, "ready"), node(2, "lost"), node(3, "not_ready"), node(4, "ready")], indexed_blocks: "4521000", index_bytes: String(410 * 2 ** 20), index_bytes_max: String(2 ** 31), sessions_opened: "1290", locates: "48120044", tenants: 4, uptime_ms: "991000000" },
    objectives: objectives(unixMs),
    findings: [
      finding("node_lost", "page", "A node is lost", "no heartbeat for 48 s; 1,134,000 blocks are out of reach", "see the machine, then journalctl -u cairn-node; its blocks come back with it", 48, "2f3a9c0d"),
      finding("budget_burning", "page", "An objective burns its budget 16 times too fast", "1.62 % of gets over 1 ms in the last hour; 0.1 % is promised", "see the latency screen: network took 80 % of the time over tcp", 610, "chat-fast"),
      finding("transport_fallback", "ticket", "A node fell back to TCP", "transport tcp, 3 others speak rdma", "cairn doctor on the node tells why RDMA is not to be had", 90000, "3f3a9c0d"),
      finding("write_budget_spent", "info", "A drive's write budget is spent", "1 TiB written in 24 h", "raise nvme_dwpd, or leave it: blocks stay in memory", 3000, HOSTILE),
    ],
    node_latency: all(5, [series("QUEUE", "DRAM_TIER", 3, "rdma", 2, 9000), series("MEDIA", "NVME_TIER", 3, "rdma", 7, 600), series("NETWORK", "DRAM_TIER", 3, "rdma", 4, 9000)]),
    client_latency: all(6, [series("LOOKUP", "UNKNOWN_TIER", 3, "rdma", 3, 900), series("VERIFY", "UNKNOWN_TIER", 3, "rdma", 2, 9000)]),
    hits: hits(10, 0.71), edges_ns: EDGES_US.map((us) => String(us * 1000)), size_class_bytes: SIZES,
    events: [event(9, 48, "node_lost", "2f3a9c0d", "no heartbeat for 3 s"), event(8, 610, "objective_burning", "chat-fast", "16.2 times too fast in 1 h and 19.4 in 5 min"), event(7, 7300, "node_joined", "4f3a9c0d", "1.25 TiB at 10.20.0.14:7411"), event(6, 190000, "tenant_added", HOSTILE, "weight 100")],
    namespaces: [1, 2, 3].map((i) => ({
      tenant: i === 3 ? "agents" : "chat", namespace_id: base64(`aa0${i}5566778899aabbccddeeff001122`),
      ns: { model: i === 3 ? "Qwen/Qwen3-32B" : "meta-llama/Llama-3.1-70B", model_digest: "", adapter_digest: "", kv_dtype: "bf16", layout: i === 2 ? "NHD" : "L2NHD", layers: 80, kv_heads: 8, head_size: 128, tokens_per_block: 32, tensor_parallel_rank: 0, tensor_parallel_size: 8, pipeline_rank: 0, pipeline_size: 0, cache_group: 0, hash_scheme: "vllm.sha256_cbor", block_bytes: 1048576 },
      sessions_opened: String(40 * i), blocks_asked: String(9_000_000 / i), blocks_found: String(6_400_000 / i), last_use_age_ms: String(400 * i),
    })),
    tenants: ["chat", "batch", "agents", "nobody"].map((name, i) => ({ name, id: i + 1, inflight_bytes_max: String(2 ** 30), weight: 100 })),
  };
}

export function empty(unixMs) {
  const full = burning(unixMs);
  const nothing = { objectives: [], findings: [], node_latency: [], client_latency: [], events: [], namespaces: [], tenants: [] };
  return { ...full, ...nothing, hits: undefined, status: { ...full.status, nodes: [], indexed_blocks: "0", index_bytes: "0", sessions_opened: "0", locates: "0" } };
}

export function history(fromS, toS, points) {
  const step_s = Math.max(10, Math.ceil((toS - fromS) / points / 10) * 10);
  const list = [];
  for (let s = Math.ceil(fromS / step_s) * step_s; s <= toS; s += step_s) {
    const age = (toS - s) / (toS - fromS);
    if (age > 0.62 && age < 0.68) continue; // nobody kept history
    const slow = age < 0.2 ? 2 : 0;
    const load = 1500 + Math.round(800 * noise(s));
    const totals = [series("TOTAL", "DRAM_TIER", 3, "rdma", 5 + slow, load, s), series("TOTAL", "NVME_TIER", 3, "rdma", 8, 90, s + 1)];
    list.push({ unix_s: String(s), node_latency: totals, client_latency: totals, hits: hits(2, 0.75 - 0.2 * (age < 0.2) + 0.05 * noise(s)), used_bytes: String(Math.round((4400 - 400 * age) * 2 ** 30)), capacity_bytes: String(5120 * 2 ** 30), nodes_ready: 3, evicted_blocks: String(Math.round(900 * noise(s + 2))), nvme_written_bytes: String(Math.round(2 ** 32 * noise(s + 3))) });
  }
  return { points: list, step_s };
}

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

// Serves `dist` with the state that `overview` makes; its url and close().
export async function serve(dist, overview, past = history) {
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, "http://x");
    if (url.pathname === "/api/v1/stream") {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const send = () => response.write(`event: overview\ndata: ${JSON.stringify(overview(Date.now()))}\n\n`);
      send();
      const timer = setInterval(send, 1000);
      response.on("close", () => clearInterval(timer));
    } else if (url.pathname === "/api/v1/history") {
      const [from, points] = ["from", "points"].map((name) => Number(url.searchParams.get(name)));
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(past(from, Math.floor(Date.now() / 1000), points)));
    } else {
      const file = url.pathname === "/" ? "/index.html" : url.pathname;
      const body = await readFile(join(dist, file)).catch(() => null);
      response.writeHead(body ? 200 : 404, { "content-type": TYPES[extname(file)] ?? "text/plain" }).end(body);
    }
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.closeAllConnections() ?? server.close() };
}
