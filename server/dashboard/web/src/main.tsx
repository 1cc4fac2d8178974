import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import "uplot/dist/uPlot.min.css";
import "./style.css";
import { clock, utc } from "./format.ts";
import { type Live, useLive } from "./live.ts";
import { EventsScreen } from "./screen_events.tsx";
import { HitsScreen } from "./screen_hits.tsx";
import { LatencyScreen } from "./screen_latency.tsx";
import { NodesScreen } from "./screen_nodes.tsx";
import { clusterName, VerdictScreen } from "./screen_verdict.tsx";
import type { Overview, Problem } from "./types.ts";
import { Badge, Prose } from "./ui.tsx";
import { verdictOf } from "./verdict.ts";

const SCREENS = ["verdict", "latency", "hits", "nodes", "events"] as const;
type Screen = (typeof SCREENS)[number];

const screenOf = (hash: string): Screen => SCREENS.find((s) => `#${s}` === hash) ?? "verdict";

function useScreen(): Screen {
  const [screen, setScreen] = useState(screenOf(location.hash));
  useEffect(() => {
    const changed = () => setScreen(screenOf(location.hash));
    addEventListener("hashchange", changed);
    changed(); // It may have, since the first paint.
    return () => removeEventListener("hashchange", changed);
  }, []);
  return screen;
}

// The seconds until the next try go down though nothing comes.
function useSeconds(running: boolean): void {
  const [, tick] = useState(0);
  useEffect(() => {
    if (!running) return;
    const timer = setInterval(() => tick((n) => n + 1), 1000);
    return () => clearInterval(timer);
  }, [running]);
}

function Liveness({ live }: { live: Live }) {
  useSeconds(live.staleSince !== null);
  if (live.staleSince !== null) {
    const wait = Math.max(0, Math.round(((live.retryAt ?? 0) - Date.now()) / 1000));
    return <p class="live stale" role="status"><b title={utc(live.staleSince)}>✕ Stale since {clock(live.staleSince)}</b> <span aria-hidden="true">next try in {wait} s</span></p>;
  }
  if (live.problem) return <p class="live" role="status">connected, no figures</p>;
  if (!live.overview) return <p class="live" role="status">connecting</p>;
  return <p class="live"><span class="dot" aria-hidden="true" /> live <time title={utc(live.overview.unix_ms)}>{clock(live.overview.unix_ms)}</time></p>;
}

function Top({ live, screen }: { live: Live; screen: Screen }) {
  const overview = live.problem ? null : live.overview;
  const verdict = overview && verdictOf(overview);
  return (
    <header class="top">
      <a class="skip" href="#main" onClick={(e) => { e.preventDefault(); document.getElementById("main")?.focus(); }}>Skip to the figures</a>
      <span class="brand"><img src="/cairn.svg" alt="" width="28" height="28" />Cairn</span>
      {overview && <span class="cluster muted">cluster <code>{clusterName(overview)}</code> · {overview.version}</span>}
      {verdict && screen !== "verdict" && <span role="status"><Badge level={live.staleSince === null ? verdict.level : "none"}>{verdict.sentence}</Badge></span>}
      <Liveness live={live} />
      <nav aria-label="Screens">
        {SCREENS.map((s) => <a key={s} href={`#${s}`} aria-current={s === screen ? "page" : undefined}>{s[0].toUpperCase() + s.slice(1)}</a>)}
      </nav>
    </header>
  );
}

function NoOverview({ problem }: { problem: Problem | null }) {
  if (problem === null) return <main id="main" class="waiting" tabIndex={-1}><h1>Waiting for the coordinator</h1><p>The first figures come within a second of its answer.</p></main>;
  const old = problem.code === "UNIMPLEMENTED";
  return (
    <main id="main" class="waiting" tabIndex={-1}>
      <h1>{old ? "This coordinator keeps no figures for this page" : `The coordinator does not answer: ${problem.code}`}</h1>
      <p>{problem.message}</p>
      <p><Prose text={old ? "Upgrade it; until then: `cairn status`, `cairn top`, " : "Its log tells more. The raw figures: "} /><a href="/metrics">/metrics</a></p>
    </main>
  );
}

function Figures({ overview, screen, live }: { overview: Overview; screen: Screen; live: boolean }) {
  switch (screen) {
    case "verdict": return <VerdictScreen overview={overview} />;
    case "latency": return <LatencyScreen overview={overview} live={live} />;
    case "hits": return <HitsScreen overview={overview} live={live} />;
    case "nodes": return <NodesScreen overview={overview} live={live} />;
    case "events": return <EventsScreen events={overview.events} />;
  }
}

function App() {
  const live = useLive();
  const screen = useScreen();
  useEffect(() => {
    document.title = `Cairn: ${screen}`;
    scrollTo(0, 0);
  }, [screen]);
  const stale = live.staleSince !== null;
  return (
    <>
      <Top live={live} screen={screen} />
      {live.overview && !live.problem ? (
        <main id="main" tabIndex={-1} class={stale ? "stale" : ""} aria-label={`${screen} screen`}>
          <h1 class="hidden">{screen}</h1>
          <Figures overview={live.overview} screen={screen} live={!stale} />
        </main>
      ) : <NoOverview problem={live.problem} />}
    </>
  );
}

const place = document.getElementById("app");
if (place) {
  place.replaceChildren();
  render(<App />, place);
}
