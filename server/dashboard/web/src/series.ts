// Which of the histograms are looked at, and what was promised for them.
import { sizeClass, tierName } from "./format.ts";
import { type Level, worst } from "./ui.tsx";
import { objectiveLevel } from "./verdict.ts";
import type { Objective, ObjectiveState, Overview, Point, Series } from "./types.ts";

export const ANY = "any";

export interface Selection {
  side: "client" | "node";
  tier: string;
  size: string;
  transport: string;
  urgency: string;
  tenant: string;
}

export const sideOf = (at: Overview | Point, side: Selection["side"]): Series[] =>
  side === "client" ? at.client_latency : at.node_latency;

export const matches = (s: Series, selection: Selection): boolean =>
  (selection.tier === ANY || s.tier === selection.tier) &&
  (selection.size === ANY || String(s.size_class) === selection.size) &&
  (selection.transport === ANY || s.transport === selection.transport) &&
  (selection.urgency === ANY || s.urgency === selection.urgency) &&
  (selection.tenant === ANY || String(s.tenant_id) === selection.tenant);

export const totals = (at: Overview | Point, selection: Selection): Series[] =>
  sideOf(at, selection.side).filter((s) => s.stage === "TOTAL" && matches(s, selection));

// A client does not know where a block lay: what was promised of a tier is judged as nodes see it.
export const judgedBy = (o: Objective): Selection["side"] => (o.tier === "UNKNOWN_TIER" ? "client" : "node");

// What clients see matters most, unless all that was promised is judged by nodes.
export function sideFirst(overview: Overview): Selection["side"] {
  const promised = overview.objectives.find((state) => state.objective.kind === "LATENCY");
  if (promised) return judgedBy(promised.objective);
  return overview.client_latency.some((s) => s.stage === "TOTAL") ? "client" : "node";
}

export interface Threshold {
  ns: number;
  names: string; // of the objectives that promise it
  level: Level; // of the worst of them
}

// Of the latency objectives that speak of what is selected and have seen gets, each edge once.
export function thresholds(objectives: ObjectiveState[], selection: Selection, tenants: Overview["tenants"]): Threshold[] {
  const found = new Map<number, Threshold>();
  const tenant = tenants.find((t) => String(t.id) === selection.tenant)?.name;
  for (const state of objectives) {
    const o = state.objective;
    if (o.kind !== "LATENCY" || state.verdict === "no_traffic") continue;
    if (judgedBy(o) !== selection.side) continue;
    if (selection.side === "node" && selection.tier !== ANY && o.tier !== selection.tier) continue;
    if (selection.size !== ANY && String(o.size_class) !== selection.size) continue;
    if (selection.urgency !== ANY && o.urgency !== undefined && o.urgency !== selection.urgency) continue;
    if (o.tenant !== "" && tenant !== undefined && o.tenant !== tenant) continue;
    const ns = Number(o.threshold_ns);
    const known = found.get(ns);
    const level = worst([objectiveLevel(state), known?.level ?? "none"]);
    found.set(ns, { ns, names: known ? `${known.names}, ${o.name}` : o.name, level });
  }
  return [...found.values()].sort((a, b) => a.ns - b.ns);
}

const distinct = (values: (string | number)[]) => [...new Set(values.map(String))].sort();

export function choices(overview: Overview, side: Selection["side"]) {
  const series = sideOf(overview, side);
  const any = { value: ANY, name: "all" };
  const tenant = (id: string) => overview.tenants.find((t) => String(t.id) === id)?.name ?? (id === "0" ? "all others" : `tenant ${id}`);
  return {
    tier: [any, ...distinct(series.map((s) => s.tier)).map((value) => ({ value, name: value === "UNKNOWN_TIER" ? "not told" : tierName[value] }))],
    size: [any, ...distinct(series.map((s) => s.size_class)).map((value) => ({ value, name: sizeClass(Number(value), overview.size_class_bytes) }))],
    transport: [any, ...distinct(series.map((s) => s.transport)).map((value) => ({ value, name: value || "unnamed" }))],
    urgency: [any, ...distinct(series.map((s) => s.urgency)).map((value) => ({ value, name: value.toLowerCase() }))],
    tenant: [any, ...distinct(series.map((s) => s.tenant_id)).map((value) => ({ value, name: tenant(value) }))],
  };
}
