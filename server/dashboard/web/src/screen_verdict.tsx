import { merge, quantile } from "./histogram.ts";
import { bytes, count, nanoseconds, percent, shortId, sizeClass, span, target, tierName, utc } from "./format.ts";
import { ANY, judgedBy, totals } from "./series.ts";
import type { Burn, Finding, ObjectiveState, Overview } from "./types.ts";
import { Badge, Empty, Meter, Panel, Prose, Tile, worst } from "./ui.tsx";
import { nodeLevel, objectiveLevel, severityLevel, verdictOf } from "./verdict.ts";

export function VerdictScreen({ overview }: { overview: Overview }) {
  const verdict = verdictOf(overview);
  return (
    <>
      <section class={`hero ${verdict.level}`} aria-label="Verdict">
        <p class="sentence" role="status">{verdict.sentence}</p>
        <Tiles overview={overview} />
      </section>
      <Findings overview={overview} />
      <Objectives overview={overview} />
    </>
  );
}

function Tiles({ overview }: { overview: Overview }) {
  const nodes = overview.status?.nodes ?? [];
  const ready = nodes.filter((n) => n.state === "ready").length;
  const used = nodes.reduce((sum, n) => sum + Number(n.used_bytes), 0);
  const capacity = nodes.reduce((sum, n) => sum + Number(n.capacity_bytes), 0);
  const kept = overview.objectives.filter((o) => objectiveLevel(o) === "good").length;
  const asked = Number(overview.hits?.requested_tokens ?? 0);
  const hit = Number(overview.hits?.hit_tokens ?? 0);
  const level = ready < nodes.length ? worst(nodes.map((n) => nodeLevel(n.state))) : "none";
  return (
    <dl class="tiles">
      <Tile name="Objectives kept" value={overview.objectives.length > 0 ? `${kept} of ${overview.objectives.length}` : "none"} note={overview.objectives.length > 0 ? "with budget left" : "nothing is promised yet"} />
      <Tile name="Nodes ready" level={level} value={`${ready} of ${nodes.length}`} note={`${count(overview.status?.indexed_blocks ?? 0)} blocks indexed`} />
      <LatencyTile overview={overview} />
      <Tile name="Token hit ratio" value={asked > 0 ? percent(hit / asked) : "–"} note={asked > 0 ? `${count(hit)} of ${count(asked)} tokens, 60 s` : "no lookups in 60 s"} />
      <Tile name="In use" value={bytes(used)} note={`of ${bytes(capacity)} over all tiers`} />
    </dl>
  );
}

function LatencyTile({ overview }: { overview: Overview }) {
  const edges = overview.edges_ns.map(Number);
  const of = (side: "client" | "node") => merge(totals(overview, { side, tier: ANY, size: ANY, transport: ANY, urgency: ANY, tenant: ANY }), edges.length);
  const client = of("client");
  const histogram = client.total > 0 ? client : of("node");
  const p99 = quantile(histogram, 0.99, edges);
  const side = client.total > 0 ? "clients" : "nodes";
  return (
    <Tile name="Gets, p99" value={p99 ? nanoseconds(p99.ns) : "–"}
      note={p99 ? `${count(histogram.total)} gets seen by ${side}, 60 s` : "no gets in 60 s"} />
  );
}

function Findings({ overview }: { overview: Overview }) {
  const level = worst(overview.findings.map((f) => severityLevel(f.severity)));
  return (
    <Panel id="findings" title="Findings" level={level} shows="What the coordinator noticed by itself, the worst first."
      remedy="each finding names its own remedy; begin with the first.">
      {overview.findings.length === 0
        ? <Empty title="Nothing found">The coordinator looks all the time for lost and slow nodes, corrupt blocks, full or failed drives and misses that have a cause.</Empty>
        : <ul class="cards">{overview.findings.map((f) => <FindingCard key={f.id + f.subject} finding={f} />)}</ul>}
    </Panel>
  );
}

const SEVERITIES: Record<string, string> = { page: "act now", ticket: "look today", info: "to know" };

function FindingCard({ finding: f }: { finding: Finding }) {
  const since = Number(f.since_unix_ms);
  return (
    <li class="card finding">
      <div class="card-head">
        <Badge level={severityLevel(f.severity)}>{SEVERITIES[f.severity] ?? f.severity}</Badge>
        <h3>{f.title}</h3>
        {since > 0 && <time class="muted" title={utc(since)} dateTime={new Date(since).toISOString()}>for {span(Math.max(0, (Date.now() - since) / 1000))}</time>}
      </div>
      <dl class="pairs">
        {f.subject !== "" && <><dt>Subject</dt><dd><code>{f.subject}</code></dd></>}
        <dt>Evidence</dt><dd>{f.evidence}</dd>
        <dt>Remedy</dt><dd><Prose text={f.remedy} /></dd>
      </dl>
    </li>
  );
}

function Objectives({ overview }: { overview: Overview }) {
  const level = worst(overview.objectives.map(objectiveLevel));
  return (
    <Panel id="objectives" title="Objectives" level={level}
      shows="What was promised to tenants, the least error budget left first."
      remedy="follow the finding above, then the latency screen's stages to where the time goes.">
      {overview.objectives.length === 0
        ? <Empty title="Nothing is promised yet"><code>cairn slo set --tier dram --size 1MiB --p99 1ms</code> makes a promise; it is judged here from then on.</Empty>
        : <ul class="cards">{overview.objectives.map((o) => <ObjectiveCard key={o.objective.name} state={o} overview={overview} />)}</ul>}
    </Panel>
  );
}

export function promise(state: ObjectiveState, bounds: Overview["size_class_bytes"]): string {
  const o = state.objective;
  const who = o.tenant === "" ? "all tenants" : o.tenant;
  const share = `${target(o.target_ppm)} over ${span(o.window_s)}`;
  if (o.kind === "ANSWERED") return `calls of ${who} end by their deadline: ${share}`;
  const gets = o.urgency ? `${o.urgency.toLowerCase()} gets` : "gets";
  return `${gets} of ${who}, ${tierName[o.tier]}, ${sizeClass(o.size_class, bounds)}, take at most ${nanoseconds(Number(o.threshold_ns))} as ${judgedBy(o)}s see it: ${share}`;
}

const VERDICTS: Record<string, string> = { ok: "kept", burning: "burning", exhausted: "budget spent", no_traffic: "no traffic" };

const YEAR_S = 31_536_000;

function exhaustion(state: ObjectiveState): string {
  const s = Number(state.exhausted_in_s);
  return s < 0 || s > YEAR_S ? "not within a year at this rate" : s === 0 ? "it is" : `in ${span(s)}`;
}

function ObjectiveCard({ state, overview }: { state: ObjectiveState; overview: Overview }) {
  const level = objectiveLevel(state);
  const idle = Number(state.total) === 0;
  return (
    <li class="card objective">
      <div class="card-head">
        <Badge level={level}>{VERDICTS[state.verdict] ?? state.verdict}</Badge>
        <h3>{state.objective.name}</h3>
      </div>
      <p class="muted">{promise(state, overview.size_class_bytes)}</p>
      <div class="budget">
        <Meter share={state.budget_left} level={level} idle={idle} label={`Error budget left of ${state.objective.name}`} />
        <b>{budget(state.budget_left)}</b>
      </div>
      <dl class="pairs">
        <dt>Attained</dt>
        <dd>{idle ? "–" : percent(state.attainment, 4)} <span class="muted">{count(state.good)} of {count(state.total)}, {span(state.history_s)} known</span></dd>
        <dt>Spent</dt><dd>{exhaustion(state)}</dd>
        <dt>Burn</dt><dd><Burns burns={state.burns} /></dd>
      </dl>
    </li>
  );
}

// Below nothing, how often it was spent says more than a share.
const budget = (left: number) =>
  left < 0 ? `${rate(1 - left)} the budget spent` : `${percent(left)} of the budget left`;

const rate = (value: number) => `${value.toLocaleString("en", { maximumSignificantDigits: 3 })}×`;

function Burns({ burns }: { burns: Burn[] }) {
  if (burns.length === 0) return <>–</>;
  return (
    <ul class="burns">
      {burns.map((b) => (
        <li key={b.long_window_s} class={b.firing ? severityLevel(b.severity) : ""}>
          <b>{rate(b.long_rate)}</b> in {span(b.long_window_s)}, <b>{rate(b.short_rate)}</b> in {span(b.short_window_s)}
          <span class="muted"> {b.firing ? `fires: both above ${b.factor}×` : `limit ${b.factor}×`}</span>
        </li>
      ))}
    </ul>
  );
}

export const clusterName = (overview: Overview) => overview.status ? shortId(overview.status.cluster_id) : "";
