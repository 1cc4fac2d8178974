import { useMemo, useState } from "preact/hooks";
import { Chart } from "./chart.tsx";
import { count, nanoseconds, percent, sizeClass, tierName } from "./format.ts";
import { HeatMap } from "./heatmap.tsx";
import { type Histogram, merge, type Quantile, quantile, shareWithin } from "./histogram.ts";
import { type Past, RANGES, useHistory } from "./history.ts";
import { ANY, choices, matches, type Selection, sideFirst, sideOf, type Threshold, thresholds, totals } from "./series.ts";
import type { Overview, Series, StageName } from "./types.ts";
import { Empty, Panel, Select, Table, worst } from "./ui.tsx";

const QUANTILES = [
  { q: 0.5, name: "p50", colour: "--line-1" },
  { q: 0.99, name: "p99", colour: "--line-2" },
  { q: 0.999, name: "p99.9", colour: "--line-3" },
];

export function LatencyScreen({ overview, live }: { overview: Overview; live: boolean }) {
  const [chosen, choose] = useState<Partial<Selection>>({});
  const [range, setRange] = useState(RANGES[0].seconds);
  const past = useHistory(range, live);
  const selection: Selection = {
    side: sideFirst(overview), tier: ANY, size: ANY, transport: ANY, urgency: ANY, tenant: ANY, ...chosen,
  };
  const edges = useMemo(() => overview.edges_ns.map(Number), [overview.edges_ns.join()]);
  const limits = thresholds(overview.objectives, selection, overview.tenants);
  return (
    <>
      <Filters overview={overview} selection={selection} range={range} onRange={setRange}
        onChange={(change) => choose({ ...chosen, ...change })} />
      <OverTime past={past} selection={selection} edges={edges} limits={limits} />
      <Now overview={overview} selection={selection} edges={edges} />
      <Stages overview={overview} selection={selection} edges={edges} />
    </>
  );
}

function Filters({ overview, selection, range, onRange, onChange }: {
  overview: Overview; selection: Selection; range: number;
  onRange: (seconds: number) => void; onChange: (change: Partial<Selection>) => void;
}) {
  const of = choices(overview, selection.side);
  const sides = [{ value: "client" as const, name: "clients" }, { value: "node" as const, name: "nodes" }];
  return (
    <form class="filters" aria-label="What the panels below show" onSubmit={(e) => e.preventDefault()}>
      <Select label="Seen by" value={selection.side} choices={sides}
        onChange={(side) => onChange({ side, tier: ANY, size: ANY, transport: ANY, urgency: ANY, tenant: ANY })} />
      {(["tier", "size", "transport", "urgency", "tenant"] as const).map((key) => (
        <Select key={key} label={key[0].toUpperCase() + key.slice(1)} value={selection[key]} choices={of[key]} onChange={(value) => onChange({ [key]: value })} />
      ))}
      <Select label="Time" value={range} choices={RANGES.map((r) => ({ value: r.seconds, name: r.name }))} onChange={onRange} />
    </form>
  );
}

function OverTime({ past, selection, edges, limits }: { past: Past | null; selection: Selection; edges: number[]; limits: Threshold[] }) {
  const points = past?.history?.points ?? [];
  const key = JSON.stringify([selection, limits]);
  const columns = useMemo(() => points.map((p) => merge(totals(p, selection), edges.length)), [past, key, edges]);
  const times = useMemo(() => points.map((p) => Number(p.unix_s)), [past]);
  const lines = useMemo(() => [
    ...QUANTILES.map(({ q, name, colour }) => ({ name, colour, values: columns.map((c) => quantile(c, q, edges)?.ns ?? null) })),
    ...limits.map((limit) => ({ name: `objective ${limit.names}`, colour: "--bad", dash: [6, 4], values: times.map(() => limit.ns) })),
  ], [columns, times, key]);
  const steady = useMemo(() => limits, [key]);
  const level = worst(limits.map((limit) => limit.level));
  const empty = <NoHistory past={past} gets={columns.some((c) => c.total > 0)} />;
  const shown = past?.history && columns.some((c) => c.total > 0);
  return (
    <>
      <Panel id="quantiles" title="Latency over time" level={level}
        shows="How long gets took: half of them, 99 % and 99.9 % took at most this. From added buckets, never from averages."
        remedy="see which stage below grew, then the nodes screen for the node behind it.">
        {shown ? <Chart label="p50, p99 and p99.9 of gets over time" times={times} fromS={past.fromS} toS={past.toS} stepS={past.history!.step_s} lines={lines} format={nanoseconds} log /> : empty}
      </Panel>
      <Panel id="heat" title="Heat map" level={level}
        shows="All gets: stronger where more fell, the dashed line is the objective, red above it."
        remedy="one band moved up: a node or drive is slow; a second band: a part of the gets waits, look at queue and media.">
        {shown ? <HeatMap times={times} columns={columns} stepS={past.history!.step_s} fromS={past.fromS} toS={past.toS} edgesNs={edges} thresholds={steady} /> : empty}
      </Panel>
    </>
  );
}

export function NoHistory({ past, gets }: { past: Past | null; gets: boolean }) {
  if (past === null) return <Empty title="Loading">The coordinator is asked for its history.</Empty>;
  if (past.problem) return <Empty title={`No history: ${past.problem.code}`}>{past.problem.message}</Empty>;
  if (past.history?.points.length === 0) return <Empty title="No history yet">The first point comes 10 seconds after the coordinator's start.</Empty>;
  return gets ? null : <Empty title="No gets in this time">Nothing that matches the choice above was asked for. <code>cairn bench</code> makes load; clients report about every 10 seconds.</Empty>;
}

function Edge({ quantile: q }: { quantile: Quantile | null }) {
  if (!q) return <td>–</td>;
  if (q.edge === Infinity) return <td>&gt; {nanoseconds(q.ns)}</td>;
  return <td class="two">{nanoseconds(q.ns)}<small>≤ {nanoseconds(q.edge)}</small></td>;
}

interface Group { key: string; tier: string; size: number; transport: string; urgency: string; series: Series[] }

function groupsOf(series: Series[]): Group[] {
  const groups = new Map<string, Group>();
  for (const s of series) {
    const key = `${s.tier} ${s.size_class} ${s.transport} ${s.urgency}`;
    const group = groups.get(key) ?? { key, tier: s.tier, size: s.size_class, transport: s.transport, urgency: s.urgency, series: [] };
    group.series.push(s);
    groups.set(key, group);
  }
  return [...groups.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

function Within({ limits, histogram, edges }: { limits: Threshold[]; histogram: Histogram; edges: number[] }) {
  if (limits.length === 0) return <td class="muted">no promise</td>;
  return <td>{limits.map((l) => <div key={l.ns}>{percent(shareWithin(histogram, l.ns, edges), 2)} <small>within {nanoseconds(l.ns)}</small></div>)}</td>;
}

function Now({ overview, selection, edges }: { overview: Overview; selection: Selection; edges: number[] }) {
  const groups = groupsOf(totals(overview, selection));
  return (
    <Panel id="now" title="The last 60 seconds" shows="Gets by tier, size, transport and urgency; “≤” is certain, the figure above it is read off within that bucket."
      remedy="compare the rows: one tier, transport or urgency alone tells where to look.">
      {groups.length === 0 ? <Empty title="No gets in 60 seconds">Nothing that matches the choice above was asked for.</Empty> : (
        <Table label="Latency of the last 60 seconds" head={["Tier and size", "Gets", "p50", "p99", "p99.9", "Within"]}>
          {groups.map((g) => {
            const histogram = merge(g.series, edges.length);
            const limits = thresholds(overview.objectives, { ...selection, tier: g.tier, size: String(g.size), urgency: g.urgency }, overview.tenants);
            return (
              <tr key={g.key}>
                <th scope="row" class="nowrap">{g.tier === "UNKNOWN_TIER" ? "tier not told" : tierName[g.tier]}, {sizeClass(g.size, overview.size_class_bytes)}<small>{g.transport ? `over ${g.transport}, ` : ""}{g.urgency.toLowerCase()}</small></th>
                <td>{count(histogram.total)}</td>
                {QUANTILES.map(({ q, name }) => <Edge key={name} quantile={quantile(histogram, q, edges)} />)}
                <Within limits={limits} histogram={histogram} edges={edges} />
              </tr>
            );
          })}
        </Table>
      )}
    </Panel>
  );
}

const STAGES: { stage: StageName; side: "client" | "node"; name: string; does: string }[] = [
  { stage: "LOOKUP", side: "client", name: "Lookup", does: "until the block's node is known" },
  { stage: "QUEUE", side: "node", name: "Queue", does: "in memory, waiting for the transport" },
  { stage: "MEDIA", side: "node", name: "Media", does: "until the block came from NVMe" },
  { stage: "NETWORK", side: "node", name: "Network", does: "first chunk handed over to last completed" },
  { stage: "VERIFY", side: "client", name: "Verify", does: "the checksum of the bytes that landed" },
];

// Sides name transports and tiers in their own ways: the choice holds for the series of its side.
function stageHistogram(overview: Overview, stage: StageName, side: "client" | "node", selection: Selection, edges: number): Histogram {
  const own = side === selection.side;
  const mine = (s: Series) => s.stage === stage && (own ? matches(s, selection) : selection.size === ANY || String(s.size_class) === selection.size);
  return merge(sideOf(overview, side).filter(mine), edges);
}

function Stages({ overview, selection, edges }: { overview: Overview; selection: Selection; edges: number[] }) {
  const rows = STAGES.map((s) => ({ ...s, histogram: stageHistogram(overview, s.stage, s.side, selection, edges.length) }))
    .map((s) => ({ ...s, p50: quantile(s.histogram, 0.5, edges), p99: quantile(s.histogram, 0.99, edges) }));
  const most = Math.max(1, ...rows.map((r) => r.p99?.ns ?? 0));
  const any = rows.some((r) => r.histogram.total > 0);
  return (
    <Panel id="stages" title="Stages" shows="Where the time of the last 60 seconds' gets went; the bar is the stage's own p99, stages do not add up."
      remedy="lookup: the coordinator; queue: too much load; media: a drive; network: the link; verify: the client's CPU.">
      {!any ? <Empty title="No stages in 60 seconds">Nodes and clients tell them once gets come.</Empty> : (
        <Table label="Stages of gets" head={["Stage", "Told by", "Gets", "p50", "p99", "Compared"]}>
          {rows.map((r) => (
            <tr key={r.stage}>
              <th scope="row">{r.name}<small>{r.does}</small></th><td>{r.side}s</td><td>{count(r.histogram.total)}</td>
              <Edge quantile={r.p50} /><Edge quantile={r.p99} />
              <td class="bar"><div style={{ width: `${((r.p99?.ns ?? 0) / most) * 100}%` }} /></td>
            </tr>
          ))}
        </Table>
      )}
    </Panel>
  );
}
