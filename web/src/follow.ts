// Follows jobs until they end: server-sent events, and polling where events stay away.
import * as api from "./api";
import { ApiError } from "./api";
import type { OpenFile, Session } from "./session";
import type { Job } from "./types";

/** Without an event for so long, the server is asked. */
const SILENCE_MS = 3000;
/** From one attempt to open the events again to the next. */
const REOPEN_MS = 4000;

const ended = (job: Job) => job.state !== "queued" && job.state !== "running";

export class Follower {
  private readonly open = new Set<OpenFile>();
  private events: { source: EventSource; open: OpenFile } | null = null;
  private heard = 0;
  private asked = 0;
  private opened = 0;
  private timer = 0;
  private asking = false;

  /**
   * @param session Is told of each change.
   * @param done Called once for each job that is done.
   */
  constructor(
    private readonly session: Session,
    private readonly done: (open: OpenFile) => Promise<void>,
  ) {
    const now = () => void this.ask();
    window.addEventListener("online", now);
    document.addEventListener("visibilitychange", now);
  }

  add(open: OpenFile): void {
    this.open.add(open);
    this.timer ||= window.setInterval(() => this.check(), 1000);
    this.check();
  }

  remove(open: OpenFile): void {
    this.open.delete(open);
    if (this.events?.open === open) this.close();
    if (!this.open.size) {
      clearInterval(this.timer);
      this.timer = 0;
    }
  }

  /** Keeps one stream of events, of the oldest job: browsers allow few connections to a server. */
  private check(): void {
    const [oldest] = this.open;
    if (!oldest) return;
    if (this.events?.source.readyState === EventSource.CLOSED) this.close();
    if (!this.events && performance.now() - this.opened > REOPEN_MS) {
      this.opened = performance.now();
      const source = new EventSource(`v1/jobs/${oldest.job!.id}/events`);
      this.events = { source, open: oldest };
      source.addEventListener("job", (event) => this.news(oldest, JSON.parse(event.data) as Job));
    }
    const silent = performance.now() - this.heard > SILENCE_MS;
    if ((silent || this.open.size > 1) && performance.now() - this.asked > SILENCE_MS) void this.ask();
  }

  private close(): void {
    this.events?.source.close();
    this.events = null;
  }

  private async ask(): Promise<void> {
    if (this.asking || !this.open.size) return;
    this.asking = true;
    this.asked = performance.now();
    try {
      for (const open of [...this.open]) {
        if (open === this.events?.open && performance.now() - this.heard < SILENCE_MS) continue;
        this.news(open, await api.job(open.job!.id));
      }
    } catch (error) {
      const { problem } = error as ApiError;
      for (const open of [...this.open]) {
        if (problem.status === 0 || problem.status >= 500) open.waiting = "connection lost, trying again";
        else {
          open.problem = problem;
          this.remove(open);
        }
        this.session.changed(open);
      }
    } finally {
      this.asking = false;
    }
  }

  private news(open: OpenFile, job: Job): void {
    if (open === this.events?.open) this.heard = performance.now();
    if (!this.open.has(open)) return;
    open.job = job;
    open.waiting = null;
    if (ended(job)) {
      this.remove(open);
      this.opened = 0;
      if (job.state === "done") void this.done(open);
      else open.problem = job.problem ?? { title: `the job was ${job.state}`, status: 0 };
    }
    this.session.changed(open);
  }
}
