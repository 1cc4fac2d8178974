import { useState } from "preact/hooks";
import { clock, utc } from "./format.ts";
import type { ClusterEvent } from "./types.ts";
import { Empty, type Level, Panel, Table } from "./ui.tsx";

const level = (kind: string): Level => (/lost|fail|corrupt|exhaust/.test(kind) ? "bad" : "none");

const day = (unixMs: number) => {
  const at = new Date(unixMs);
  return at.toDateString() === new Date().toDateString() ? "" : at.toLocaleDateString(undefined, { month: "short", day: "numeric" }) + " ";
};

export function EventsScreen({ events }: { events: ClusterEvent[] }) {
  const [word, setWord] = useState("");
  const wanted = word.trim().toLowerCase();
  const shown = events.filter((e) => `${e.kind} ${e.subject} ${e.text}`.toLowerCase().includes(wanted));
  return (
    <Panel id="events" title="Events" wide shows="What changed in the cluster, the newest first, at most 100."
      remedy="an event marked ✕ has a finding on the verdict screen while it lasts."
      aside={<label class="select"><span>Only with</span><input type="search" value={word} placeholder="node, kind, word" onInput={(e) => setWord(e.currentTarget.value)} /></label>}>
      {shown.length === 0
        ? <Empty title={events.length === 0 ? "Nothing has happened yet" : "No event has this word"}>{events.length === 0 ? "Nodes that join, leave or come back, and promises that burn, are told here." : `${events.length} others are hidden.`}</Empty>
        : (
          <Table label="The newest first" head={["Time", "What", "Who", "Details"]}>
            {shown.map((e) => (
              <tr key={String(e.sequence)} class={level(e.kind)}>
                <td title={utc(e.unix_ms)} class="nowrap">{day(Number(e.unix_ms))}{clock(e.unix_ms)}</td>
                <th scope="row" class="nowrap">{level(e.kind) === "bad" && <span class="sign" aria-hidden="true">✕ </span>}{e.kind.replaceAll("_", " ")}</th>
                <td><code>{e.subject}</code></td><td class="wrap">{e.text}</td>
              </tr>
            ))}
          </Table>
        )}
    </Panel>
  );
}
