// Lines over time by uPlot, with the figures as a table for those who read no lines.
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { clock, MINUTES_S, utc } from "./format.ts";
import { canvasFont, colour, rem, useScheme } from "./scheme.ts";

export interface Line {
  name: string;
  colour: string; // a CSS variable
  dash?: number[];
  values: (number | null)[];
  fill?: boolean;
}

export interface ChartProps {
  label: string;
  times: number[]; // seconds since 1970, ascending; drawn again when these or the lines are others
  fromS: number;
  toS: number;
  stepS: number;
  lines: Line[];
  format: (value: number) => string;
  log?: boolean;
  binary?: boolean; // marks at powers of two
  min?: number;
  max?: number;
}

const HEIGHT_REM = 15;
const ROWS_MAX = 24;

// Decades, and their 2 and 5 where there is room.
function logSplits(low: number, high: number): number[] {
  const splits = [];
  for (let decade = 10 ** Math.floor(Math.log10(low)); decade <= high; decade *= 10) {
    for (const step of high / low > 2000 ? [1] : [1, 2, 5]) splits.push(decade * step);
  }
  return splits.filter((s) => s >= low && s <= high);
}

const POWERS_OF_TWO = Array.from({ length: 56 }, (_, i) => 2 ** i);

// Where nobody kept history there is no line.
function withGaps(times: number[], lines: Line[], stepS: number): uPlot.AlignedData {
  const x: number[] = [];
  const ys: (number | null)[][] = lines.map(() => []);
  times.forEach((time, i) => {
    if (i > 0 && time - times[i - 1] > 1.5 * stepS) {
      x.push(times[i - 1] + stepS / 2);
      ys.forEach((y) => y.push(null));
    }
    x.push(time);
    ys.forEach((y, line) => y.push(lines[line].values[i]));
  });
  return [x, ...ys];
}

function optionsOf(props: ChartProps, width: number, onCursor: (time: number | null) => void): uPlot.Options {
  const axis: uPlot.Axis = {
    stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 },
    ticks: { stroke: colour("--line"), width: 1 }, font: canvasFont(),
  };
  return {
    width, height: rem(HEIGHT_REM), legend: { show: false }, cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    scales: {
      x: { time: true, range: [props.fromS, props.toS] },
      y: props.log ? { distr: 3 } : { range: (_, low, high) => [props.min ?? low, props.max ?? Math.max(high * 1.1, 1e-9)] },
    },
    hooks: { setCursor: [(plot) => onCursor(plot.cursor.idx == null ? null : plot.data[0][plot.cursor.idx])] },
    axes: [
      { ...axis, space: rem(4.5), incrs: MINUTES_S, values: (_, ticks) => ticks.map((t) => clock(t * 1000).slice(0, 5)) },
      { ...axis, size: rem(4.9), ...(props.log && { splits: (_: uPlot, __: number, low: number, high: number) => logSplits(low, high) }), ...(props.binary && { incrs: POWERS_OF_TWO }), values: (_, ticks) => ticks.map((t) => (t === null ? "" : props.format(t))) },
    ],
    series: [{}, ...props.lines.map((line): uPlot.Series => ({
      label: line.name, stroke: colour(line.colour), width: line.dash ? 1.5 : 2, dash: line.dash,
      fill: line.fill ? colour(line.colour) + "22" : undefined,
      points: { show: line.values.filter((v) => v !== null).length < 3 }, spanGaps: false,
    }))],
  };
}

export function Chart(props: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const scheme = useScheme();
  const [pointed, setPointed] = useState<number | null>(null);
  const { times, lines } = props;
  useEffect(() => {
    const at = place.current;
    if (!at) return;
    setPointed(null);
    const plot = new uPlot(optionsOf(props, at.clientWidth, setPointed), withGaps(times, lines, props.stepS), at);
    const sized = new ResizeObserver(() => plot.setSize({ width: at.clientWidth, height: rem(HEIGHT_REM) }));
    sized.observe(at);
    return () => {
      sized.disconnect();
      plot.destroy();
    };
  }, [props.label, times, lines, scheme]);
  const at = pointed === null ? -1 : times.indexOf(pointed);
  const shown = (line: Line) => (at < 0 ? line.values.findLast((v) => v !== null) : line.values[at]);
  return (
    <figure class="chart">
      <ul class="legend">
        {lines.map((line) => {
          const value = shown(line);
          return (
            <li key={line.name}>
              <svg width="22" height="8" aria-hidden="true">
                <line x1="0" y1="4" x2="22" y2="4" stroke={`var(${line.colour})`} stroke-width="2" stroke-dasharray={line.dash?.join(" ")} />
              </svg>
              {line.name} <b>{value === undefined || value === null ? "–" : props.format(value)}</b>
            </li>
          );
        })}
        <li class="muted">{at < 0 ? "now" : `until ${clock(times[at] * 1000)}`}</li>
      </ul>
      <div class="plot" ref={place} role="img" aria-label={props.label} />
      <Figures times={times} lines={lines} format={props.format} label={props.label} />
    </figure>
  );
}

type Tabled = Pick<ChartProps, "times" | "lines" | "format" | "label">;

// Closed, as it is for most, it costs nothing: to write its figures each second takes most of the page's time.
function Figures(tabled: Tabled) {
  const [open, setOpen] = useState(false);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Figures</summary>
      {open && <FiguresTable {...tabled} />}
    </details>
  );
}

function FiguresTable({ times, lines, format, label }: Tabled) {
  const first = Math.max(0, times.length - ROWS_MAX);
  return (
    <div class="scroll" role="region" aria-label={`${label}, as a table`} tabIndex={0}>
      <table>
        <thead><tr><th scope="col">until</th>{lines.map((line) => <th scope="col" key={line.name}>{line.name}</th>)}</tr></thead>
        <tbody>
          {times.slice(first).map((time, i) => (
            <tr key={time}>
              <td title={utc(time * 1000)}>{clock(time * 1000)}</td>
              {lines.map((line) => {
                const value = line.values[first + i];
                return <td key={line.name}>{value === null ? "–" : format(value)}</td>;
              })}
            </tr>
          )).reverse()}
        </tbody>
      </table>
    </div>
  );
}
