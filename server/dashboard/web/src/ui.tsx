// The pieces that every screen is made of.
import type { ComponentChildren } from "preact";
import { percent } from "./format.ts";

export type Level = "good" | "warn" | "bad" | "none";

export const worst = (levels: Level[]): Level =>
  (["bad", "warn", "good"] as const).find((level) => levels.includes(level)) ?? "none";

const SIGNS: Record<Level, string> = { good: "✓", warn: "!", bad: "✕", none: "–" };

// Colour, shape and word say the same.
export function Badge({ level, children }: { level: Level; children: ComponentChildren }) {
  return (
    <span class={`badge ${level}`}>
      <span class="sign" aria-hidden="true">{SIGNS[level]}</span>
      {children}
    </span>
  );
}

// What stands between backquotes is code.
export function Prose({ text }: { text: string }) {
  return <>{text.split("`").map((part, i) => (i % 2 === 1 ? <code key={i}>{part}</code> : part))}</>;
}

export interface PanelProps {
  id: string;
  title: string;
  shows: string; // in one line
  remedy: string; // what to do when it is red
  level?: Level;
  wide?: boolean;
  aside?: ComponentChildren;
  children: ComponentChildren;
}

export function Panel({ id, title, shows, remedy, level = "none", wide, aside, children }: PanelProps) {
  return (
    <section class={`panel ${level} ${wide ? "wide" : ""}`} aria-labelledby={`${id}-title`} id={id}>
      <div class="panel-head">
        <h2 id={`${id}-title`}>{title}</h2>
        {aside}
      </div>
      <p class="shows">
        {shows} <span class="remedy"><b>If red:</b> <Prose text={remedy} /></span>
      </p>
      {children}
    </section>
  );
}

export function Empty({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      <p>{children}</p>
    </div>
  );
}

export function Meter({ share, level, label, idle }: { share: number; level: Level; label: string; idle?: boolean }) {
  const shown = Math.max(0, Math.min(1, share));
  return (
    <div class={`meter ${level} ${idle ? "idle" : ""}`} role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={100}
      aria-valuenow={Math.round(shown * 100)} aria-valuetext={percent(share)}>
      <div style={{ width: `${shown * 100}%` }} />
    </div>
  );
}

export function Tile({ name, value, note, level = "none" }: {
  name: string; value: ComponentChildren; note: ComponentChildren; level?: Level;
}) {
  return (
    <div class={`tile ${level}`}>
      <dt>{name}</dt>
      <dd class="value">{value}</dd>
      <dd class="note">{note}</dd>
    </div>
  );
}

// A table wider than its place scrolls by itself, by keyboard too; the page never does.
export function Table({ label, head, children }: {
  label: string; head: string[]; children: ComponentChildren;
}) {
  return (
    <div class="scroll" role="region" aria-label={label} tabIndex={0}>
      <table>
        <thead><tr>{head.map((name) => <th scope="col" key={name}>{name}</th>)}</tr></thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

export interface Choice<T> { value: T; name: string }

export function Select<T extends string | number>({ label, value, choices, onChange }: {
  label: string; value: T; choices: Choice<T>[]; onChange: (value: T) => void;
}) {
  return (
    <label class="select">
      <span>{label}</span>
      <select value={value} onChange={(event) => {
        const chosen = choices.find((c) => String(c.value) === event.currentTarget.value);
        if (chosen) onChange(chosen.value);
      }}>
        {choices.map((c) => <option key={c.value} value={c.value}>{c.name}</option>)}
      </select>
    </label>
  );
}
