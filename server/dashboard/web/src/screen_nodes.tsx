import { useMemo, useState } from "preact/hooks";
import { Chart } from "./chart.tsx";
import { bytes, count, percent, shortId, span } from "./format.ts";
import { RANGES, secondsOf, useHistory } from "./history.ts";
import { NoHistory } from "./screen_latency.tsx";
import type { Node, Overview } from "./types.ts";
import { Badge, Empty, type Level, Meter, Panel, Select, Table, worst } from "./ui.tsx";
import { nodeLevel } from "./verdict.ts";

export function NodesScreen({ overview, live }: { overview: Overview; live: boolean }) {
  const nodes = overview.status?.nodes ?? [];
  return (
    <>
      <Members nodes={nodes} />
      <Capacity live={live} />
      <Traffic nodes={nodes} />
      <Drives nodes={nodes} />
      <Index overview={overview} />
    </>
  );
}

function Fill({ used, capacity, label }: { used: number; capacity: number; label: string }) {
  if (capacity <= 0) return <td class="muted">none</td>;
  return (
    <td class="fill">
      <Meter share={used / capacity} level="none" label={label} />
      <small>{bytes(used)} of {bytes(capacity)}</small>
    </td>
  );
}

function Members({ nodes }: { nodes: Node[] }) {
  const level = worst(nodes.map((n) => nodeLevel(n.state)));
  return (
    <Panel id="members" title="Nodes" wide level={level} shows="Who holds the blocks: state, fill of each tier and what waits to be sent. Caches are meant to be full."
      remedy="lost: see the machine and `journalctl -u cairn-node`; not ready: it drains or its self-test fails, `cairn doctor` tells.">
      {nodes.length === 0 ? <Empty title="No node has joined yet"><code>cairn node --coordinators ADDRESS --state-folder FOLDER</code> starts one.</Empty> : (
        <Table label="Node by node" head={["Node", "State", "Last heard", "DRAM", "NVMe", "Blocks", "Pinned", "Queue", "Transport", "Incarnation", "Version"]}>
          {nodes.map((n) => <Member key={n.node_id} node={n} />)}
        </Table>
      )}
    </Panel>
  );
}

const STATES: Record<string, string> = { ready: "ready", not_ready: "not ready", lost: "lost" };

function Member({ node: n }: { node: Node }) {
  const id = shortId(n.node_id);
  const nvmeCapacity = Number(n.nvme?.capacity_bytes ?? 0);
  const nvmeUsed = Number(n.nvme?.used_bytes ?? 0);
  return (
    <tr>
      <th scope="row"><code>{id}</code><small>{n.reactor_addresses[0] ?? ""}</small></th>
      <td><Badge level={nodeLevel(n.state)}>{STATES[n.state] ?? n.state}</Badge></td>
      <td>{span(Number(n.last_heartbeat_age_ms) / 1000)} ago</td>
      <Fill used={Number(n.used_bytes) - nvmeUsed} capacity={Number(n.capacity_bytes) - nvmeCapacity} label={`DRAM in use on ${id}`} />
      <Fill used={nvmeUsed} capacity={nvmeCapacity} label={`NVMe in use on ${id}`} />
      <td>{count(n.block_count)}</td><td>{count(n.pinned_blocks)}</td><td>{count(n.queued_blocks)}</td>
      <td>{n.transport || "–"}</td><td><code>{String(n.incarnation)}</code></td><td>{n.version || "–"}</td>
    </tr>
  );
}

function Traffic({ nodes }: { nodes: Node[] }) {
  const bad = nodes.some((n) => Number(n.counters?.checksum_failures ?? 0) > 0 || Number(n.counters?.conflicts ?? 0) > 0);
  return (
    <Panel id="traffic" title="Work done" wide level={bad ? "bad" : "none"} shows="Since each node's start: what was read and stored, what left for want of space, what was not what it should be."
      remedy="checksum failures: bad memory or drive, the copies are gone already; conflicts: an engine stores different bytes under one key.">
      {nodes.length === 0 ? <Empty title="No node has joined yet">Counters come with its first heartbeat.</Empty> : (
        <Table label="Work done by node" head={["Node", "Gets", "Hits", "Read", "Puts", "Stored", "Evicted", "Checksum failures", "Conflicts", "Sessions"]}>
          {nodes.map(({ node_id, counters: c }) => (
            <tr key={node_id}>
              <th scope="row"><code>{shortId(node_id)}</code></th>
              <td>{count(c?.gets ?? 0)}</td><td>{Number(c?.gets ?? 0) > 0 ? percent(Number(c!.get_hits) / Number(c!.gets)) : "–"}</td>
              <td>{bytes(c?.get_bytes ?? 0)}</td><td>{count(c?.puts ?? 0)}</td><td>{bytes(c?.put_bytes ?? 0)}</td>
              <td>{count(c?.evicted_blocks ?? 0)}</td><td>{count(c?.checksum_failures ?? 0)}</td><td>{count(c?.conflicts ?? 0)}</td><td>{count(c?.sessions ?? 0)}</td>
            </tr>
          ))}
        </Table>
      )}
    </Panel>
  );
}

function driveLevel({ nvme }: Node): Level {
  if (!nvme) return "none";
  if (nvme.drives_failed > 0) return "bad";
  const budget = Number(nvme.write_budget_bytes);
  if (Number(nvme.errors) > 0 || (budget > 0 && Number(nvme.write_budget_left_bytes) === 0)) return "warn";
  return "good";
}

function Budget({ node: { nvme } }: { node: Node }) {
  const budget = Number(nvme?.write_budget_bytes ?? 0);
  if (budget === 0) return <td class="muted">no limit</td>;
  const spent = budget - Number(nvme!.write_budget_left_bytes);
  return (
    <td class="fill">
      <Meter share={spent / budget} level={spent >= budget ? "warn" : "none"} label="Write budget spent" />
      <small>{bytes(spent)} of {bytes(budget)} in 24 h</small>
    </td>
  );
}

function Drives({ nodes }: { nodes: Node[] }) {
  const with_ = nodes.filter((n) => n.nvme);
  return (
    <Panel id="drives" title="NVMe" level={worst(with_.map(driveLevel))} shows="The second tier: what it served, and what was written against the day's budget, which is what wears a drive."
      remedy="failed: replace the drive, its blocks are only slower to compute again; budget spent: nothing is demoted until it refills.">
      {with_.length === 0 ? <Empty title="No node has drives">Blocks live in memory alone. <code>cairn node --nvme FOLDER --nvme-bytes 100GiB</code> adds the tier.</Empty> : (
        <Table label="NVMe by node" head={["Node", "State", "Hits there", "Read", "Written", "Write budget", "Errors"]}>
          {with_.map((n) => (
            <tr key={n.node_id}>
              <th scope="row"><code>{shortId(n.node_id)}</code></th>
              <td><Badge level={driveLevel(n)}>{n.nvme!.drives_failed > 0 ? `${n.nvme!.drives_failed} failed` : Number(n.nvme!.errors) > 0 ? "errors" : "works"}</Badge></td>
              <td>{count(n.nvme!.hits)}</td><td>{bytes(n.nvme!.read_bytes)}</td><td>{bytes(n.nvme!.written_bytes)}</td><Budget node={n} /><td>{count(n.nvme!.errors)}</td>
            </tr>
          ))}
        </Table>
      )}
    </Panel>
  );
}

function Capacity({ live }: { live: boolean }) {
  const [range, setRange] = useState(RANGES[1].seconds);
  const past = useHistory(range, live);
  const points = past?.history?.points ?? [];
  const step = past?.history?.step_s || 1;
  const times = useMemo(() => points.map((p) => Number(p.unix_s)), [past]);
  const seconds = useMemo(() => secondsOf(times, past?.fromS ?? 0, step), [past]);
  const used = useMemo(() => [
    { name: "in use", colour: "--line-1", fill: true, values: points.map((p) => Number(p.used_bytes)) },
    { name: "capacity", colour: "--muted", dash: [6, 4], values: points.map((p) => Number(p.capacity_bytes)) },
  ], [past]);
  const churn = useMemo(() => [
    { name: "evicted", colour: "--line-2", values: points.map((p, i) => Number(p.evicted_blocks) / seconds[i]) },
  ], [past]);
  const written = useMemo(() => [
    { name: "written", colour: "--line-3", values: points.map((p, i) => Number(p.nvme_written_bytes) / seconds[i]) },
  ], [past]);
  const ends = past ? { times, fromS: past.fromS, toS: past.toS, stepS: step, min: 0 } : null;
  const any = points.length > 0;
  return (
    <Panel id="capacity" title="Fill and churn over time" wide shows="Bytes held over all nodes, blocks evicted and bytes written to NVMe a second."
      remedy="high eviction with a falling hit ratio: the cache is too small for what comes again; add nodes or NVMe."
      aside={<Select label="Time" value={range} choices={RANGES.map((r) => ({ value: r.seconds, name: r.name }))} onChange={setRange} />}>
      {any && ends ? (
        <div class="trio">
          <Chart label="Bytes in use and capacity over time" lines={used} format={bytes} binary {...ends} />
          <Chart label="Blocks evicted a second" lines={churn} format={(v) => `${count(v)}/s`} {...ends} />
          <Chart label="Bytes written to NVMe a second" lines={written} format={(v) => `${bytes(v)}/s`} binary {...ends} />
        </div>
      ) : <NoHistory past={past} gets={any} />}
    </Panel>
  );
}

function Index({ overview: { status } }: { overview: Overview }) {
  const max = Number(status?.index_bytes_max ?? 0);
  const share = max > 0 ? Number(status!.index_bytes) / max : 0;
  const level: Level = share > 0.9 ? "warn" : "none";
  return (
    <Panel id="index" title="Coordinator" level={level} shows="The prefix index and the calls that used it since the coordinator started."
      remedy="an index near its limit forgets its oldest entries: raise index_bytes_max.">
      <dl class="pairs">
        <dt>Index</dt><dd><Meter share={share} level={level} label="Index in use" /> {bytes(status?.index_bytes ?? 0)} of {bytes(max)}, {count(status?.indexed_blocks ?? 0)} blocks</dd>
        <dt>Lookups</dt><dd>{count(status?.locates ?? 0)}</dd>
        <dt>Sessions opened</dt><dd>{count(status?.sessions_opened ?? 0)}</dd>
        <dt>Tenants</dt><dd>{status?.tenants ?? 0}</dd>
        <dt>Up for</dt><dd>{span(Number(status?.uptime_ms ?? 0) / 1000)}</dd>
      </dl>
    </Panel>
  );
}
