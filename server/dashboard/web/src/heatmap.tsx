// Latency over time: a column per point, a row per bucket, ink by how many calls fell into it.
import { useEffect, useRef, useState } from "preact/hooks";
import { clock, count, nanoseconds } from "./format.ts";
import type { Histogram } from "./histogram.ts";
import { colour, useScheme } from "./scheme.ts";
import type { Threshold } from "./series.ts";

export interface HeatMapProps {
  times: number[]; // ends of the columns, seconds since 1970
  columns: Histogram[];
  stepS: number;
  fromS: number;
  toS: number;
  edgesNs: number[];
  thresholds: Threshold[];
}

const ROW_PX = 18;
const LEFT_PX = 68;
const BOTTOM_PX = 22;

interface Rows { first: number; last: number }

// From the fastest bucket with a call to the slowest, the thresholds' among them, with one to spare.
function rowsOf({ columns, edgesNs, thresholds }: HeatMapProps): Rows {
  const used = edgesNs.concat(Infinity).map((edge, i) =>
    columns.some((c) => c.counts[i] > 0) || thresholds.some((t) => t.ns === edge));
  const first = used.indexOf(true);
  if (first < 0) return { first: 0, last: 0 };
  return { first: Math.max(0, first - 1), last: Math.min(edgesNs.length, used.lastIndexOf(true) + 1) };
}

const rowName = (row: number, edgesNs: number[]) =>
  row < edgesNs.length ? `≤ ${nanoseconds(edgesNs[row])}` : `> ${nanoseconds(edgesNs[edgesNs.length - 1])}`;

function draw(canvas: HTMLCanvasElement, props: HeatMapProps, rows: Rows, cursor: number): void {
  const width = canvas.clientWidth;
  const height = (rows.last - rows.first + 1) * ROW_PX;
  const ratio = window.devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = (height + BOTTOM_PX) * ratio;
  const pen = canvas.getContext("2d");
  if (!pen) return;
  pen.scale(ratio, ratio);
  const x = (s: number) => LEFT_PX + ((s - props.fromS) / (props.toS - props.fromS)) * (width - LEFT_PX);
  const top = (row: number) => height - (row - rows.first + 1) * ROW_PX;
  pen.fillStyle = colour("--sunken");
  pen.fillRect(LEFT_PX, 0, width - LEFT_PX, height);
  drawCells(pen, props, rows, x, top, cursor);
  drawAxes(pen, props, rows, x, top, width, height);
  drawThresholds(pen, props.thresholds, props.edgesNs, rows, top, width);
}

function drawCells(pen: CanvasRenderingContext2D, props: HeatMapProps, rows: Rows,
  x: (s: number) => number, top: (row: number) => number, cursor: number): void {
  const most = Math.log1p(Math.max(1, ...props.columns.flatMap((c) => c.counts)));
  const strictest = props.thresholds.length > 0 ? props.thresholds[0].ns : Infinity;
  props.columns.forEach((column, i) => {
    const right = x(props.times[i]);
    const left = Math.max(LEFT_PX, x(props.times[i] - props.stepS));
    for (let row = rows.first; row <= rows.last; row++) {
      if (!column.counts[row]) continue;
      const late = (props.edgesNs[row] ?? Infinity) > strictest;
      pen.globalAlpha = 0.25 + 0.75 * (Math.log1p(column.counts[row]) / most);
      pen.fillStyle = colour(late ? "--heat-late" : "--heat");
      pen.fillRect(left, top(row) + 0.5, Math.max(1, right - left - (right - left > 4 ? 1 : 0)), ROW_PX - 1);
    }
    pen.globalAlpha = 1;
    if (i === cursor) {
      pen.strokeStyle = colour("--ink");
      pen.strokeRect(left, 0.5, Math.max(2, right - left), top(rows.first) + ROW_PX - 1);
    }
  });
}

function drawAxes(pen: CanvasRenderingContext2D, props: HeatMapProps, rows: Rows,
  x: (s: number) => number, top: (row: number) => number, width: number, height: number): void {
  pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
  pen.fillStyle = colour("--muted");
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (let row = rows.first; row <= rows.last; row++) {
    pen.fillText(rowName(row, props.edgesNs), LEFT_PX - 6, top(row) + ROW_PX / 2);
  }
  pen.textBaseline = "top";
  const marks = Math.max(2, Math.floor((width - LEFT_PX) / 110));
  for (let i = 0; i <= marks; i++) {
    const s = props.fromS + ((props.toS - props.fromS) * i) / marks;
    pen.textAlign = i === 0 ? "left" : i === marks ? "right" : "center";
    pen.fillText(clock(s * 1000).slice(0, 5), x(s), height + 6);
  }
}

// On the edge between the last row that keeps the promise and the first that breaks it.
function drawThresholds(pen: CanvasRenderingContext2D, thresholds: Threshold[], edgesNs: number[],
  rows: Rows, top: (row: number) => number, width: number): void {
  for (const threshold of thresholds) {
    const row = edgesNs.findIndex((edge) => edge >= threshold.ns);
    if (row < rows.first || row > rows.last) continue;
    pen.strokeStyle = colour("--ink");
    pen.setLineDash([6, 4]);
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.moveTo(LEFT_PX, top(row));
    pen.lineTo(width, top(row));
    pen.stroke();
    pen.setLineDash([]);
    const text = `${threshold.names}: ${nanoseconds(threshold.ns)}`;
    const textWidth = pen.measureText(text).width;
    pen.fillStyle = colour("--surface");
    pen.fillRect(LEFT_PX + 4, top(row) - 17, textWidth + 8, 15);
    pen.fillStyle = colour("--ink");
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    pen.fillText(text, LEFT_PX + 8, top(row) - 9);
  }
}

function readOut(props: HeatMapProps, cursor: number): string {
  const column = props.columns[cursor];
  if (!column) return "Point at a column, or move with ← and →, to read it.";
  const parts = column.counts.flatMap((n, row) => (n > 0 ? [`${rowName(row, props.edgesNs)}: ${count(n)}`] : []));
  return `Until ${clock(props.times[cursor] * 1000)}: ${parts.length > 0 ? parts.join(" · ") : "no gets"}`;
}

export function HeatMap(props: HeatMapProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [cursor, setCursor] = useState(-1);
  const scheme = useScheme();
  const rows = rowsOf(props);
  const height = (rows.last - rows.first + 1) * ROW_PX + BOTTOM_PX;
  useEffect(() => {
    const at = canvas.current;
    if (!at) return;
    draw(at, props, rows, cursor);
    const sized = new ResizeObserver(() => draw(at, props, rows, cursor));
    sized.observe(at);
    return () => sized.disconnect();
  }, [props.columns, props.thresholds, cursor, scheme]);
  const point = (event: PointerEvent) => {
    const at = event.currentTarget as HTMLCanvasElement;
    const share = (event.offsetX - LEFT_PX) / (at.clientWidth - LEFT_PX);
    const s = props.fromS + share * (props.toS - props.fromS);
    setCursor(props.times.findIndex((end) => s <= end && s > end - props.stepS));
  };
  const press = (event: KeyboardEvent) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const from = cursor < 0 ? props.columns.length - (by > 0 ? 1 : 0) : cursor;
    setCursor(Math.max(0, Math.min(props.columns.length - 1, from + by)));
  };
  return (
    <figure class="heatmap">
      <canvas ref={canvas} style={{ height: `${height}px` }} tabIndex={0} role="img" data-rows={rows.last - rows.first + 1}
        aria-label="Heat map of latencies: time from left to right, slower gets higher up. Arrow keys read a column."
        onPointerMove={point} onPointerLeave={() => setCursor(-1)} onKeyDown={press} />
      <figcaption aria-live="polite">{readOut(props, cursor)}</figcaption>
    </figure>
  );
}
