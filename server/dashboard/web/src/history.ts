// Points of the last hours, asked for again when a new one is due.
import { useEffect, useState } from "preact/hooks";
import type { History, Problem } from "./types.ts";

export const RANGES = [
  { name: "15 min", seconds: 900 },
  { name: "1 h", seconds: 3600 },
  { name: "6 h", seconds: 21600 },
  { name: "24 h", seconds: 86400 },
];
const POINTS_MAX = 240; // more than that no eye tells apart
const STEP_MIN_S = 10;
const SPAN_MIN_S = 120;

export interface Past {
  history: History | null;
  problem: Problem | null;
  fromS: number;
  toS: number;
}

// What is older than the oldest point needs no room.
function beginOf({ points, step_s }: History, fromS: number, toS: number): number {
  const first = points.length > 0 ? Number(points[0].unix_s) - step_s : fromS;
  return Math.max(fromS, Math.min(first, toS - SPAN_MIN_S));
}

// How many seconds each point is about: the oldest and the newest are seldom whole steps.
export const secondsOf = (times: number[], fromS: number, stepS: number): number[] =>
  times.map((time, i) => Math.min(stepS, time - (i > 0 ? times[i - 1] : fromS)));

export async function fetchHistory(seconds: number): Promise<Past> {
  const toS = Math.floor(Date.now() / 1000);
  const fromS = toS - seconds;
  const none = { history: null, fromS, toS };
  try {
    // Its end is told too: with an end of the coordinator's, later by a second, the steps would be others.
    const reply = await fetch(`/api/v1/history?from=${fromS}&to=${toS}&points=${POINTS_MAX}`);
    const body = await reply.json();
    if (!reply.ok) return { ...none, problem: body.error };
    return { history: body, problem: null, fromS: beginOf(body, fromS, toS), toS };
  } catch (error) {
    return { ...none, problem: { code: "UNAVAILABLE", message: String(error) } };
  }
}

export function useHistory(seconds: number, live: boolean): Past | null {
  const [past, setPast] = useState<Past | null>(null);
  useEffect(() => {
    if (!live) return;
    let timer = 0;
    let current = true;
    const load = async () => {
      const next = await fetchHistory(seconds);
      if (!current) return;
      setPast(next);
      timer = window.setTimeout(load, 1000 * Math.max(STEP_MIN_S, next.history?.step_s ?? 0));
    };
    load();
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [seconds, live]);
  return past;
}
