// Sends files one after another, each once, straight from the disk.
import { ApiError, NO_CONNECTION, problemOf, retryAfter } from "./api";
import type { OpenFile, Session } from "./session";
import type { Job, Options } from "./types";

const RETRIES = 5;
const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));

export class Uploads {
  private readonly waiting: OpenFile[] = [];
  private sending: { open: OpenFile; request: XMLHttpRequest | null } | null = null;

  constructor(
    private readonly session: Session,
    private readonly options: () => Options,
    private readonly started: (open: OpenFile) => void,
  ) {}

  add(open: OpenFile): void {
    open.problem = null;
    open.uploaded = null;
    this.waiting.push(open);
    this.session.changed(open);
    void this.next();
  }

  /** Takes a file out of the queue, or ends its upload. */
  cancel(open: OpenFile): void {
    const at = this.waiting.indexOf(open);
    if (at >= 0) this.waiting.splice(at, 1);
    if (this.sending?.open === open) {
      const { request } = this.sending;
      this.sending = null;
      request?.abort();
      void this.next();
    }
  }

  private async next(): Promise<void> {
    if (this.sending) return;
    const open = this.waiting.shift();
    if (!open?.file) return;
    const own = (this.sending = { open, request: null as XMLHttpRequest | null });
    const active = () => this.sending === own;
    for (let tries = 1; active(); tries++) {
      try {
        open.uploaded = 0;
        const job = await this.send(open, open.file, own);
        if (!active()) return;
        open.waiting = null;
        open.job = job;
        this.started(open);
        break;
      } catch (error) {
        if (!active()) return;
        const { problem, retry_s } = error as ApiError;
        const busy = problem.status === 429 || problem.status === 503;
        if (!(busy || (problem.status === 0 && tries < RETRIES))) {
          open.problem = problem;
          open.waiting = null;
          break;
        }
        open.uploaded = null;
        open.waiting = busy ? "the server is busy" : "connection lost, trying again";
        this.session.changed(open);
        await sleep(1000 * (retry_s ?? Math.min(tries, 5)));
      }
    }
    if (!active()) return;
    this.sending = null;
    this.session.changed(open);
    void this.next();
  }

  private send(open: OpenFile, file: File, own: { request: XMLHttpRequest | null }): Promise<Job> {
    const { model, person, merge } = open.options ?? this.options();
    const attention = this.session.models.find((one) => one.name === model)?.attention ?? false;
    const query = new URLSearchParams({ name: file.name, person, ...(model && { model }) });
    if (attention) query.set("attention", "true");
    for (const pair of merge) query.append("merge", pair);
    return new Promise((done, failed) => {
      const request = (own.request = new XMLHttpRequest());
      request.open("POST", `v1/jobs?${query}`);
      request.setRequestHeader("Content-Type", "application/octet-stream");
      request.upload.addEventListener("progress", (event) => {
        if (!event.lengthComputable) return;
        open.waiting = null;
        open.uploaded = event.loaded / event.total;
        this.session.changed(open);
      });
      const lost = () => failed(new ApiError(NO_CONNECTION));
      request.addEventListener("error", lost);
      request.addEventListener("abort", lost);
      request.addEventListener("load", () => {
        if (request.status >= 200 && request.status < 300) done(JSON.parse(request.responseText) as Job);
        else {
          const problem = problemOf(request.status, request.statusText, request.responseText);
          failed(new ApiError(problem, retryAfter(request.getResponseHeader("Retry-After"))));
        }
      });
      request.send(file);
      this.session.changed(open);
    });
  }
}
