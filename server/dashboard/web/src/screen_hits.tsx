import { useMemo, useState } from "preact/hooks";
import { Chart } from "./chart.tsx";
import { count, hex, percent, span } from "./format.ts";
import { RANGES, useHistory } from "./history.ts";
import { NoHistory } from "./screen_latency.tsx";
import type { Hits, KnownNamespace, Overview } from "./types.ts";
import { Empty, type Level, Panel, Select, Table, Tile } from "./ui.tsx";

const ratio = (part: number, whole: number) => (whole > 0 ? percent(part / whole) : "–");

export function HitsScreen({ overview, live }: { overview: Overview; live: boolean }) {
  return (
    <>
      <Ratios hits={overview.hits} blocks={Number(overview.status?.indexed_blocks ?? 0)} />
      <OverTime live={live} />
      <Misses hits={overview.hits} />
      <Namespaces namespaces={overview.namespaces} />
    </>
  );
}

function Ratios({ hits, blocks }: { hits?: Hits; blocks: number }) {
  const tokens = Number(hits?.requested_tokens ?? 0);
  const asked = Number(hits?.requested_blocks ?? 0);
  const found = Number(hits?.hit_blocks ?? 0);
  const calls = Number(hits?.answered ?? 0) + Number(hits?.late ?? 0);
  const level: Level = asked > 0 && found === 0 && blocks > 0 ? "bad" : "none";
  return (
    <Panel id="ratios" title="Hits, the last 60 seconds" wide level={level} shows="How much of what clients asked for they got, with its denominator."
      remedy="no hit though blocks are there: engines ask under another namespace than they store; see the last table.">
      {asked === 0 && calls === 0
        ? <Empty title="No client asked in 60 seconds">Clients report about every 10 seconds; <code>cairn bench</code> makes load.</Empty>
        : (
          <dl class="tiles">
            <Tile name="Tokens" level={level} value={ratio(Number(hits?.hit_tokens), tokens)} note={tokens > 0 ? `${count(hits!.hit_tokens)} of ${count(tokens)} asked for` : "no token asked for"} />
            <Tile name="Blocks" value={ratio(found, asked)} note={`${count(found)} of ${count(asked)} asked for`} />
            <Tile name="Answered by the deadline" level={Number(hits?.late) > 0 ? "warn" : "none"} value={ratio(Number(hits?.answered), calls)} note={`${count(hits?.answered ?? 0)} of ${count(calls)} calls, with bytes or a refusal`} />
          </dl>
        )}
    </Panel>
  );
}

function OverTime({ live }: { live: boolean }) {
  const [range, setRange] = useState(RANGES[1].seconds);
  const past = useHistory(range, live);
  const points = past?.history?.points ?? [];
  const times = useMemo(() => points.map((p) => Number(p.unix_s)), [past]);
  const lines = useMemo(() => [{
    name: "token hit ratio", colour: "--line-1", fill: true,
    values: points.map((p) => (Number(p.hits?.requested_tokens ?? 0) > 0 ? Number(p.hits!.hit_tokens) / Number(p.hits!.requested_tokens) : null)),
  }], [past]);
  const any = lines[0].values.some((v) => v !== null);
  return (
    <Panel id="hits-time" title="Token hit ratio over time" shows="The share of tokens asked for that were found; a gap is a time without lookups."
      remedy="a step down at once is a lost node or a new model; a slow fall is a tier too small, see evictions on the nodes screen."
      aside={<Select label="Time" value={range} choices={RANGES.map((r) => ({ value: r.seconds, name: r.name }))} onChange={setRange} />}>
      {any && past ? <Chart label="Token hit ratio over time" times={times} fromS={past.fromS} toS={past.toS} stepS={past.history!.step_s} lines={lines} format={(v) => percent(v)} min={0} max={1} /> : <NoHistory past={past} gets={any} />}
    </Panel>
  );
}

// What each reason means and asks for; the words are those of the client's statistics.
const REASONS: Record<string, string> = {
  absent: "never stored, or evicted: more capacity, if the prefixes do come again",
  checksum: "the bytes were not what was stored; the copy was dropped: look for a bad drive or memory",
  deadline: "too late to pay off: see the latency screen",
  overload: "the node refused for load: add nodes, or weigh the tenants",
  incarnation: "the node restarted in between",
  version: "client and node speak no common version: finish the upgrade",
  namespace: "stored under another model, layout or dtype",
  length: "another size than was stored: two engines disagree on the layout",
  session: "the session's token was not valid",
  lease: "the hold on the block had ended",
  node_down: "its node did not answer: see the nodes screen",
  no_coordinator: "no coordinator answered the client",
  no_node: "no node was ready",
  draining: "the node was about to leave",
  capacity: "no space was free",
  circuit_open: "the client rests from a node that failed",
  drive: "the drive failed to read: see NVMe on the nodes screen",
  parent_absent: "the prefix before it was gone",
};

function Misses({ hits }: { hits?: Hits }) {
  const misses = [...(hits?.misses ?? [])].sort((a, b) => Number(b.tokens) - Number(a.tokens) || Number(b.blocks) - Number(a.blocks));
  const blocks = misses.reduce((sum, m) => sum + Number(m.blocks), 0);
  const broken = misses.some((m) => ["checksum", "drive", "version", "length"].includes(m.reason));
  return (
    <Panel id="misses" title="Why tokens were missed" level={broken ? "bad" : "none"} shows="Every miss of the last 60 seconds by its reason; “absent” is the only innocent one."
      remedy="the row says what its reason asks for.">
      {blocks === 0 ? <Empty title="No misses in 60 seconds">All that was asked for was found, or nothing was asked for.</Empty> : (
        <Table label="Misses by reason" head={["Reason", "Tokens", "Blocks", "Of missed blocks", "Compared"]}>
          {misses.map((m) => (
            <tr key={m.reason}>
              <th scope="row">{m.reason}<small>{REASONS[m.reason] ?? ""}</small></th>
              <td>{count(m.tokens)}</td><td>{count(m.blocks)}</td><td>{percent(Number(m.blocks) / blocks)}</td>
              <td class="bar"><div style={{ width: `${(Number(m.blocks) / blocks) * 100}%` }} /></td>
            </tr>
          ))}
        </Table>
      )}
    </Panel>
  );
}

function Namespaces({ namespaces }: { namespaces: KnownNamespace[] }) {
  const sorted = [...namespaces].sort((a, b) => Number(b.blocks_asked) - Number(a.blocks_asked));
  return (
    <Panel id="namespaces" title="Namespaces" wide shows="Models by blocks looked up since the coordinator started; clients spare themselves lookups of what they know."
      remedy="two rows of one model: its engines differ in layout, dtype or rank and share nothing.">
      {sorted.length === 0 ? <Empty title="No engine has connected yet">Each engine declares its model and layout when it opens a session.</Empty> : (
        <Table label="Namespaces by blocks looked up" head={["Model", "Tenant", "Layout", "Tokens/block", "Looked up", "Found", "Sessions", "Last use", "Id"]}>
          {sorted.map((n) => (
            <tr key={n.tenant + n.namespace_id}>
              <th scope="row">{n.ns?.model || "unnamed"}</th><td>{n.tenant}</td>
              <td>{n.ns?.layout || "–"}<small>{n.ns?.kv_dtype}</small></td><td>{n.ns?.tokens_per_block ?? "–"}</td>
              <td>{count(n.blocks_asked)}</td><td>{ratio(Number(n.blocks_found), Number(n.blocks_asked))}<small>{count(n.blocks_found)}</small></td>
              <td>{count(n.sessions_opened)}</td><td>{span(Number(n.last_use_age_ms) / 1000)} ago</td><td><code>{hex(n.namespace_id).slice(0, 8)}</code></td>
            </tr>
          ))}
        </Table>
      )}
    </Panel>
  );
}
