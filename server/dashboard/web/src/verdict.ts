// What is wrong, in one sentence: the worst of objectives, findings and nodes.
import type { Level } from "./ui.tsx";
import type { Finding, ObjectiveState, Overview } from "./types.ts";

export const severityLevel = (severity: string): Level =>
  severity === "page" ? "bad" : severity === "ticket" ? "warn" : "none";

export function objectiveLevel(state: ObjectiveState): Level {
  switch (state.verdict) {
    case "ok": return "good";
    case "burning":
      return state.burns.some((burn) => burn.firing && burn.severity === "page") ? "bad" : "warn";
    case "exhausted": return "bad";
    default: return "none";
  }
}

export const nodeLevel = (state: string): Level =>
  state === "ready" ? "good" : state === "lost" ? "bad" : "warn";

export interface Verdict {
  level: Level;
  sentence: string;
}

const plural = (n: number, one: string, many: string) => `${n} ${n === 1 ? one : many}`;

function listOf(objectives: ObjectiveState[], findings: Finding[], level: Level): string {
  const of = objectives.filter((o) => objectiveLevel(o) === level);
  const broken = of.filter((o) => o.verdict === "exhausted").length;
  const burning = of.length - broken;
  const named = findings.filter((f) => severityLevel(f.severity) === level).length;
  const parts = [];
  if (broken > 0) parts.push(plural(broken, "promise", "promises") + " broken");
  if (burning > 0) parts.push(plural(burning, "promise", "promises") + " at risk");
  if (named > 0) parts.push(plural(named, "finding", "findings"));
  return parts.join(", ");
}

export function verdictOf(overview: Overview): Verdict {
  const nodes = overview.status?.nodes ?? [];
  const lost = nodes.filter((node) => node.state === "lost").length;
  const bad = listOf(overview.objectives, overview.findings, "bad");
  const warn = listOf(overview.objectives, overview.findings, "warn");
  if (bad !== "") return { level: "bad", sentence: `Act now: ${bad}` };
  if (lost > 0) return { level: "bad", sentence: `Act now: ${plural(lost, "node", "nodes")} lost` };
  if (nodes.length === 0) return { level: "warn", sentence: "No node has joined yet" };
  if (warn !== "") return { level: "warn", sentence: `Look today: ${warn}` };
  if (nodes.some((node) => node.state !== "ready")) return { level: "warn", sentence: "A node is not ready" };
  if (overview.objectives.length === 0) {
    return { level: "none", sentence: "Nothing is wrong, and nothing is promised" };
  }
  if (overview.objectives.every((o) => objectiveLevel(o) === "none")) {
    return { level: "none", sentence: "Nothing is wrong; the objectives see no traffic" };
  }
  return { level: "good", sentence: "All promises are kept" };
}
