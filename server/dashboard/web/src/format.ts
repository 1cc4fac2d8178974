// Figures as people read them. Every function takes what the API gives, strings included.
import type { Int } from "./types.ts";

const trim = (value: number, digits: number) =>
  value.toLocaleString("en", { maximumSignificantDigits: digits, useGrouping: false });

export function count(value: Int): string {
  const n = Number(value);
  for (const [limit, unit] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e4, "k"]] as const) {
    if (n >= limit) return trim(n / (unit === "k" ? 1e3 : limit), 3) + " " + unit;
  }
  return Number.isInteger(n) ? n.toLocaleString("en") : trim(n, 3);
}

export function bytes(value: Int): string {
  let n = Number(value);
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  while (n >= 1024 && unit < units.length - 1) {
    n /= 1024;
    unit++;
  }
  return `${n >= 100 ? Math.round(n) : trim(n, 3)} ${units[unit]}`;
}

export function nanoseconds(ns: number): string {
  if (ns < 1e3) return `${trim(ns, 3)} ns`;
  if (ns < 1e6) return `${trim(ns / 1e3, 3)} µs`;
  if (ns < 1e9) return `${trim(ns / 1e6, 3)} ms`;
  return `${trim(ns / 1e9, 3)} s`;
}

export function span(seconds: Int): string {
  const s = Number(seconds);
  if (s < 60) return `${Math.round(s)} s`;
  if (s < 3600) return `${trim(s / 60, 2)} min`;
  if (s < 2 * 86400) return `${trim(s / 3600, 2)} h`;
  return `${trim(s / 86400, 2)} d`;
}

// Never rounds up to all: 99.996 % is not 100 %.
export function percent(share: number, digits = 1): string {
  const scale = 10 ** digits;
  const floor = Math.floor(share * 100 * scale + 1e-6) / scale;
  return `${floor.toLocaleString("en", { maximumFractionDigits: digits })}\u00a0%`;
}

export const target = (ppm: number) => `${trim(ppm / 1e4, 6)}\u00a0%`;

// The hour after midnight is 00, in some languages 24 unless told.
export function clock(unixMs: Int): string {
  return new Date(Number(unixMs)).toLocaleTimeString(undefined, { hourCycle: "h23" });
}

export function utc(unixMs: Int): string {
  return new Date(Number(unixMs)).toISOString().replace("T", " ").replace(/\..*/, " UTC");
}

// Between two marks of time.
export const MINUTES_S = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720].map((minutes) => minutes * 60);

// A block that took at most so much; the class before it was smaller.
export const sizeClass = (index: number, bounds: Int[]) =>
  bounds[index] === undefined ? `class ${index}` : `≤ ${bytes(bounds[index])}`;

export const tierName: Record<string, string> = {
  DRAM_TIER: "DRAM",
  NVME_TIER: "NVMe",
  UNKNOWN_TIER: "any tier",
};

export function hex(base64: string): string {
  try {
    return Array.from(atob(base64), (c) => c.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  } catch {
    return base64;
  }
}

export const shortId = (base64: string) => hex(base64).slice(0, 8);
