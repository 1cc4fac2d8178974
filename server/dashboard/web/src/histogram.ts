// Latencies out of merged buckets. Quantiles are never averaged: counts are added, then read.
import type { Int, Series } from "./types.ts";

export interface Histogram {
  counts: number[]; // one more than there are edges: the last counts what took longer
  total: number;
}

export interface Quantile {
  ns: number; // interpolated within its bucket
  edge: number; // what it is at most, for certain; Infinity beyond the last edge
}

export function merge(series: Series[], edges: number): Histogram {
  const counts = new Array<number>(edges + 1).fill(0);
  let total = 0;
  for (const one of series) {
    one.counts.slice(0, edges + 1).forEach((count: Int, bucket) => {
      counts[bucket] += Number(count);
      total += Number(count);
    });
  }
  return { counts, total };
}

// The share q of the calls took at most this. Within a bucket the logarithm of the time is taken as
// evenly spread: buckets grow by factors. Null without a call.
export function quantile(histogram: Histogram, q: number, edgesNs: number[]): Quantile | null {
  if (histogram.total === 0) return null;
  const rank = q * histogram.total;
  let before = 0;
  for (let bucket = 0; bucket < edgesNs.length; bucket++) {
    const count = histogram.counts[bucket];
    if (count > 0 && before + count >= rank) {
      const high = edgesNs[bucket];
      const low = bucket === 0 ? high / 2 : edgesNs[bucket - 1];
      return { ns: low * (high / low) ** ((rank - before) / count), edge: high };
    }
    before += count;
  }
  return { ns: edgesNs[edgesNs.length - 1], edge: Infinity };
}

// The share that took at most the threshold, which is an edge: a sum of counts, no estimate.
export function shareWithin(histogram: Histogram, thresholdNs: number, edgesNs: number[]): number {
  let within = 0;
  edgesNs.forEach((edge, bucket) => {
    if (edge <= thresholdNs) within += histogram.counts[bucket];
  });
  return histogram.total === 0 ? 1 : within / histogram.total;
}
