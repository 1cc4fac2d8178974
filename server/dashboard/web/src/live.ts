// What the page knows: overviews as they come, and for how long none came.
import { useEffect, useState } from "preact/hooks";
import type { Overview, Problem } from "./types.ts";

export interface Live {
  overview: Overview | null;
  problem: Problem | null; // the coordinator answered, but not with an overview
  staleSince: number | null; // ms since 1970
  retryAt: number | null;
}

const SILENCE_MS = 5000; // an event is due each second
const BACKOFF_MS = [1000, 2000, 4000, 8000, 15000];

const NOTHING: Live = { overview: null, problem: null, staleSince: null, retryAt: null };

export class Feed {
  private source: EventSource | null = null;
  private silence = 0;
  private retry = 0;
  private failures = 0;
  private lastAt = Date.now();
  private state = NOTHING;

  constructor(private readonly onChange: (live: Live) => void) {}

  open(): void {
    this.close();
    const source = new EventSource("/api/v1/stream");
    this.source = source;
    source.addEventListener("overview", (event) => this.took({ overview: JSON.parse(event.data), problem: null }));
    source.addEventListener("problem", (event) => this.took({ problem: JSON.parse(event.data).error }));
    source.onerror = () => this.broke();
    this.awaitEvent();
  }

  close(): void {
    this.source?.close();
    this.source = null;
    clearTimeout(this.silence);
    clearTimeout(this.retry);
  }

  // Somebody looks again, or the network is back: no use in waiting on.
  hurry(): void {
    if (this.source === null) this.again();
  }

  private took(news: Partial<Live>): void {
    this.failures = 0;
    this.lastAt = Date.now();
    this.set({ ...news, staleSince: null, retryAt: null });
    this.awaitEvent();
  }

  private awaitEvent(): void {
    clearTimeout(this.silence);
    this.silence = window.setTimeout(() => this.broke(), SILENCE_MS);
  }

  private broke(): void {
    this.close();
    const wait = BACKOFF_MS[Math.min(this.failures++, BACKOFF_MS.length - 1)];
    this.set({ staleSince: this.lastAt, retryAt: Date.now() + wait });
    this.retry = window.setTimeout(() => this.again(), wait);
  }

  // Asks once before it opens the stream: a stream does not tell why it was refused.
  private async again(): Promise<void> {
    clearTimeout(this.retry);
    try {
      const reply = await fetch("/api/v1/overview", { signal: AbortSignal.timeout(SILENCE_MS) });
      if (reply.status === 401) return location.reload();
      const failures = this.failures;
      if (reply.ok) this.took({ overview: await reply.json(), problem: null });
      this.failures = failures;
      this.open();
    } catch {
      this.broke();
    }
  }

  private set(change: Partial<Live>): void {
    this.state = { ...this.state, ...change };
    this.onChange(this.state);
  }
}

export function useLive(): Live {
  const [live, setLive] = useState<Live>(NOTHING);
  useEffect(() => {
    const feed = new Feed(setLive);
    const hurry = () => feed.hurry();
    // A browser has six connections to a host: tabs that nobody looks at must not hold them.
    const turned = () => (document.hidden ? feed.close() : feed.hurry());
    feed.open();
    document.addEventListener("visibilitychange", turned);
    window.addEventListener("online", hurry);
    return () => {
      document.removeEventListener("visibilitychange", turned);
      window.removeEventListener("online", hurry);
      feed.close();
    };
  }, []);
  return live;
}
