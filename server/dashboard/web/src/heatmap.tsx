// Latency over time: a column per point, a row per bucket, ink by how many calls fell into it.
import { useEffect, useRef, useState } from "preact/hooks";
import { clock, count, MINUTES_S, nanoseconds } from "./format.ts";
import type { Histogram } from "./histogram.ts";
import { canvasFont, colour, rem, useScheme } from "./scheme.ts";
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

const ROW_REM = 1.15;
const LEFT_REM = 4.4;
const BOTTOM_REM = 1.4;

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

// Where things are drawn, in CSS pixels.
interface Sheet {
  pen: CanvasRenderingContext2D;
  rows: Rows;
  left: number; // of the cells
  width: number;
  height: number; // of the cells
  row: number; // its height
  x: (s: number) => number;
  top: (row: number) => number;
}

function sheetOf(canvas: HTMLCanvasElement, props: HeatMapProps, rows: Rows): Sheet | null {
  const [left, row, width] = [rem(LEFT_REM), rem(ROW_REM), canvas.clientWidth];
  const height = (rows.last - rows.first + 1) * row;
  const ratio = window.devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = (height + rem(BOTTOM_REM)) * ratio;
  const pen = canvas.getContext("2d");
  if (!pen) return null;
  pen.scale(ratio, ratio);
  pen.font = canvasFont();
  const x = (s: number) => left + ((s - props.fromS) / (props.toS - props.fromS)) * (width - left);
  const top = (at: number) => height - (at - rows.first + 1) * row;
  return { pen, rows, left, width, height, row, x, top };
}

function draw(canvas: HTMLCanvasElement, props: HeatMapProps, rows: Rows, cursor: number): void {
  const sheet = sheetOf(canvas, props, rows);
  if (!sheet) return;
  sheet.pen.fillStyle = colour("--sunken");
  sheet.pen.fillRect(sheet.left, 0, sheet.width - sheet.left, sheet.height);
  drawCells(sheet, props, cursor);
  drawAxes(sheet, props);
  drawThresholds(sheet, props);
}

function drawCells({ pen, rows, left, height, row: rowPx, x, top }: Sheet, props: HeatMapProps, cursor: number): void {
  const most = Math.log1p(Math.max(1, ...props.columns.flatMap((c) => c.counts)));
  const strictest = props.thresholds.length > 0 ? props.thresholds[0].ns : Infinity;
  const [heat, late, ink] = ["--heat", "--heat-late", "--ink"].map(colour);
  props.columns.forEach((column, i) => {
    // Ends are not always a step apart: no column covers the one before.
    const from = Math.max(left, x(Math.max(props.times[i] - props.stepS, props.times[i - 1] ?? 0)));
    const width = x(props.times[i]) - from;
    for (let row = rows.first; row <= rows.last; row++) {
      if (!column.counts[row]) continue;
      pen.globalAlpha = 0.25 + 0.75 * (Math.log1p(column.counts[row]) / most);
      pen.fillStyle = (props.edgesNs[row] ?? Infinity) > strictest ? late : heat;
      pen.fillRect(from, top(row) + 0.5, Math.max(1, width > 4 ? width - 1 : width), rowPx - 1);
    }
    pen.globalAlpha = 1;
    pen.strokeStyle = ink;
    if (i === cursor) pen.strokeRect(from, 0.5, Math.max(2, width), height - 1);
  });
}

function drawAxes({ pen, rows, left, width, height, row: rowPx, x, top }: Sheet, props: HeatMapProps): void {
  pen.fillStyle = colour("--muted");
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (let row = rows.first; row <= rows.last; row++) {
    pen.fillText(rowName(row, props.edgesNs), left - 6, top(row) + rowPx / 2);
  }
  pen.textBaseline = "top";
  pen.textAlign = "center";
  const marks = (width - left) / rem(4.5);
  const step = MINUTES_S.find((s) => (props.toS - props.fromS) / s <= marks) ?? MINUTES_S[MINUTES_S.length - 1];
  // On the whole hours of the reader's zone, not of UTC.
  const zone = new Date().getTimezoneOffset() * 60;
  for (let s = Math.ceil((props.fromS - zone) / step) * step + zone; s <= props.toS; s += step) {
    pen.fillText(clock(s * 1000).slice(0, 5), Math.min(x(s), width - rem(1.2)), height + 6);
  }
}

// On the edge between the last row that keeps the promise and the first that breaks it.
function drawThresholds({ pen, rows, left, width, top }: Sheet, { thresholds, edgesNs }: HeatMapProps): void {
  const [ink, surface] = ["--ink", "--surface"].map(colour);
  for (const threshold of thresholds) {
    const row = edgesNs.findIndex((edge) => edge >= threshold.ns);
    if (row < rows.first || row > rows.last) continue;
    pen.strokeStyle = ink;
    pen.setLineDash([6, 4]);
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.moveTo(left, top(row));
    pen.lineTo(width, top(row));
    pen.stroke();
    pen.setLineDash([]);
    const text = `${threshold.names}: ${nanoseconds(threshold.ns)}`;
    pen.fillStyle = surface;
    pen.fillRect(left + 4, top(row) - rem(1.05), pen.measureText(text).width + 8, rem(0.95));
    pen.fillStyle = ink;
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    pen.fillText(text, left + 8, top(row) - rem(0.55));
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
  const height = (rows.last - rows.first + 1) * rem(ROW_REM) + rem(BOTTOM_REM);
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
    const left = rem(LEFT_REM);
    const share = (event.offsetX - left) / (at.clientWidth - left);
    const s = props.fromS + share * (props.toS - props.fromS);
    setCursor(props.times.findIndex((end) => s <= end && s > end - props.stepS));
  };
  const press = (event: KeyboardEvent) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const from = cursor < 0 ? props.columns.length - (by > 0 ? 1 : 0) : cursor;
    setCursor(Math.max(0, Math.min(props.columns.length - 1, from + by)));
  };
  return (
    <figure class="heatmap">
      <canvas ref={canvas} style={{ height: `${height}px` }} tabIndex={0} role="img" data-rows={rows.last - rows.first + 1}
        aria-label="Heat map of latencies: time from left to right, slower gets higher up. Arrow keys, Home and End read a column."
        onPointerMove={point} onPointerLeave={() => setCursor(-1)} onKeyDown={press} />
      <figcaption aria-live="polite">{readOut(props, cursor)}</figcaption>
    </figure>
  );
}
