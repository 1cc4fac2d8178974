import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, clock, count, hex, nanoseconds, percent, span, target } from "../../server/dashboard/web/src/format.ts";
import { secondsOf } from "../../server/dashboard/web/src/history.ts";
import { merge, quantile, shareWithin } from "../../server/dashboard/web/src/histogram.ts";
import { ANY, thresholds } from "../../server/dashboard/web/src/series.ts";
import type { ObjectiveState, Overview, Series } from "../../server/dashboard/web/src/types.ts";
import { verdictOf } from "../../server/dashboard/web/src/verdict.ts";

const EDGES = [10_000, 20_000, 50_000, 100_000];
const series = (counts: (string | number)[]): Series =>
  ({ stage: "TOTAL", tier: "DRAM_TIER", size_class: 0, tenant_id: 0, transport: "tcp", urgency: "STANDARD", counts, sum_ns: "0" });
const near = (actual: number, expected: number) => assert.ok(Math.abs(actual / expected - 1) < 1e-9, `${actual} is not ${expected}`);

test("merging adds counts, with trailing zeros left out or not", () => {
  const merged = merge([series(["1", "2"]), series([0, 3, 0, 0, "7"])], EDGES.length);
  assert.deepEqual(merged, { counts: [1, 5, 0, 0, 7], total: 13 });
});

test("a quantile of nothing is nothing", () => assert.equal(quantile(merge([], 4), 0.5, EDGES), null));

test("a quantile is evenly spread in the logarithm within its bucket", () => {
  const merged = merge([series([0, 0, 100])], EDGES.length);
  const half = quantile(merged, 0.5, EDGES)!;
  near(half.ns, Math.sqrt(20_000 * 50_000));
  assert.equal(half.edge, 50_000);
  near(quantile(merged, 1, EDGES)!.ns, 50_000);
});

test("a rank on a bucket's last call stays in that bucket, and empty buckets hold none", () => {
  const merged = merge([series([50, 0, 50])], EDGES.length);
  assert.equal(quantile(merged, 0.5, EDGES)!.edge, 10_000);
  assert.equal(quantile(merged, 0.51, EDGES)!.edge, 50_000);
});

test("the first bucket begins at half its edge", () => {
  near(quantile(merge([series([4])], EDGES.length), 0.5, EDGES)!.ns, 10_000 / Math.SQRT2);
});

test("beyond the last edge nothing is certain", () => {
  assert.deepEqual(quantile(merge([series([0, 0, 0, 0, 9])], EDGES.length), 0.5, EDGES), { ns: 100_000, edge: Infinity });
});

test("quantiles of merged series are not averages of quantiles", () => {
  const fast = series([990]);
  const slow = series([0, 0, 0, 10]);
  assert.equal(quantile(merge([fast, slow], 4), 0.99, EDGES)!.edge, 10_000);
  assert.equal(quantile(merge([fast, slow], 4), 0.999, EDGES)!.edge, 100_000);
});

test("the share within a threshold is a sum of counts", () => {
  const merged = merge([series([90, 5, 4, 0, 1])], EDGES.length);
  assert.equal(shareWithin(merged, 20_000, EDGES), 0.95);
  assert.equal(shareWithin(merge([], 4), 20_000, EDGES), 1);
});

test("figures read as people write them", () => {
  assert.equal(count("9999"), "9,999");
  assert.equal(count("48211930"), "48.2 M");
  assert.equal(count(12_345), "12.3 k");
  assert.equal(bytes("1536"), "1.5 KiB");
  assert.equal(bytes(String(2 ** 40)), "1 TiB");
  assert.equal(nanoseconds(740_000), "740 µs");
  assert.equal(nanoseconds(1_500_000_000), "1.5 s");
  assert.equal(span(5400), "1.5 h");
  assert.equal(span("2592000"), "30 d");
  assert.equal(target(999_000), "99.9\u00a0%");
  assert.equal(hex("AAH/"), "0001ff");
});

test("a share is never rounded up to all of it", () => {
  assert.equal(percent(0.99996), "99.9\u00a0%");
  assert.equal(percent(1), "100\u00a0%");
  assert.equal(percent(-0.2), "-20\u00a0%");
  assert.equal(percent(0.29), "29\u00a0%");
});

const objective = (name: string, more: Partial<ObjectiveState["objective"]>, verdict = "ok"): ObjectiveState => ({
  objective: { name, kind: "LATENCY", tenant: "", tier: "DRAM_TIER", size_class: 3, threshold_ns: "1000000", target_ppm: 999000, window_s: "3600", ...more },
  good: "1", total: "1", attainment: 1, budget_left: 1, burns: [], exhausted_in_s: "-1", verdict, history_s: "60",
});
const everything = { side: "node" as const, tier: ANY, size: ANY, transport: ANY, urgency: ANY, tenant: ANY };

test("a threshold is drawn where it was promised", () => {
  const all = [objective("a", {}), objective("b", { threshold_ns: "500000" }), objective("c", {}), objective("idle", { threshold_ns: "7" }, "no_traffic"), objective("answers", { kind: "ANSWERED" })];
  assert.deepEqual(thresholds(all, everything, []).map((t) => [t.ns, t.names]), [[500_000, "b"], [1_000_000, "a, c"]]);
  assert.deepEqual(thresholds(all, { ...everything, tier: "NVME_TIER" }, []), []);
  assert.deepEqual(thresholds(all, { ...everything, size: "2" }, []), []);
  const batch = [objective("late", { threshold_ns: "9", urgency: "BATCH" })];
  assert.deepEqual(thresholds(batch, { ...everything, urgency: "STANDARD" }, []), []);
  assert.deepEqual(thresholds(batch, { ...everything, urgency: "BATCH" }, []).map((t) => t.names), ["late"]);
  assert.deepEqual(thresholds(batch, everything, []).map((t) => t.names), ["late"]);
  const anywhere = objective("seen", { tier: "UNKNOWN_TIER" });
  assert.deepEqual(thresholds([...all, anywhere], { ...everything, side: "client" }, []).map((t) => t.names), ["seen"]);
});

const overview = (more: Partial<Overview>): Overview => ({
  unix_ms: "0", version: "", objectives: [], findings: [], node_latency: [], client_latency: [], edges_ns: [], size_class_bytes: [],
  events: [], namespaces: [], tenants: [], status: { nodes: [{ state: "ready" }] } as Overview["status"], ...more,
});

test("the verdict is the worst of what is known", () => {
  const finding = (severity: string) => ({ id: "x", severity, title: "", evidence: "", remedy: "", since_unix_ms: "0", subject: "" });
  assert.equal(verdictOf(overview({})).level, "none");
  assert.equal(verdictOf(overview({ objectives: [objective("a", {})] })).level, "good");
  assert.equal(verdictOf(overview({ objectives: [objective("a", {}, "no_traffic")] })).level, "none");
  assert.equal(verdictOf(overview({ objectives: [objective("a", {}, "burning")] })).level, "warn");
  assert.equal(verdictOf(overview({ objectives: [objective("a", {}, "exhausted")] })).level, "bad");
  assert.equal(verdictOf(overview({ findings: [finding("ticket"), finding("page")] })).level, "bad");
  assert.equal(verdictOf(overview({ findings: [finding("info")] })).level, "none");
  assert.equal(verdictOf(overview({ status: { nodes: [] } as unknown as Overview["status"] })).level, "warn");
  assert.equal(verdictOf(overview({ status: { nodes: [{ state: "ready" }, { state: "lost" }] } as Overview["status"] })).level, "bad");
});

test("the hour after midnight is the first of its day", () =>
  assert.match(clock(new Date(2026, 10, 27, 0, 5).getTime()), /^00:05:00/));

test("a point is about the time since the one before, at most a step; the first since the chart's begin", () =>
  assert.deepEqual(secondsOf([1100, 1400, 2600, 2640], 1040, 300), [60, 300, 300, 40]));
