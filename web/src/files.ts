// The list of recordings at the side, and what comes in.
import * as api from "./api";
import { problemText } from "./api";
import { fill, h } from "./dom";
import { certainty, length, percent } from "./format";
import { colours } from "./palette";
import type { OpenFile, Session } from "./session";

export interface FileActions {
  choose: (files: File[]) => void;
  retry: (open: OpenFile) => void;
  remove: (open: OpenFile) => void;
}

/** State of a file in words, and its share that is done if it is in work. */
export function stateOf(open: OpenFile, blind: boolean): { text: string; share: number | null } {
  if (open.problem) return { text: problemText(open.problem), share: null };
  const { job, report } = open;
  if (open.again && !open.again.problem) {
    const { text, share } = stateOf(open.again, blind);
    return { text: `again: ${text}`, share };
  }
  if (report) {
    if (blind) return { text: "recognised", share: null };
    const doubt = certainty(report);
    return { text: `${report.top} ${percent(report.confidence)}${doubt ? ` (${doubt})` : ""}`, share: null };
  }
  if (!job) {
    if (open.waiting) return { text: open.waiting, share: null };
    if (open.uploaded === null) return { text: "waits to be sent", share: null };
    if (open.uploaded >= 1) return { text: "sent", share: 1 };
    return { text: `sending, ${percent(open.uploaded)}`, share: open.uploaded };
  }
  const share = job.duration_s ? Math.min(1, job.done_s / job.duration_s) : null;
  if (open.waiting) return { text: open.waiting, share };
  if (job.state === "queued") return { text: "waits for the server", share: null };
  if (job.state === "done") return { text: "loading results", share: 1 };
  const of = job.duration_s ? ` of ${length(job.duration_s)}` : "";
  return { text: `read ${length(job.done_s)}${of}`, share: share ?? 0 };
}

export class FileList {
  private readonly list = h("ul", { class: "file-list" });
  private readonly input = h("input", {
    type: "file",
    multiple: true,
    class: "hidden",
    tabindex: -1,
    "aria-label": "recordings",
    accept: "video/*,audio/*,image/*,.mkv,.flv,.avi,.mts,.m2ts,.ts,.wmv,.mpg",
  });
  private readonly all = h("button", { type: "button", class: "quiet machine", hidden: true }, "Save all as one CSV");
  readonly element: HTMLElement;
  private readonly items = new Map<OpenFile, HTMLElement>();

  constructor(
    private readonly session: Session,
    private readonly actions: FileActions,
    ...settings: HTMLElement[]
  ) {
    this.input.addEventListener("change", () => {
      actions.choose([...(this.input.files ?? [])]);
      this.input.value = "";
    });
    this.all.addEventListener("click", () => void this.saveAll());
    this.element = h(
      "aside",
      { class: "files", "aria-label": "recordings" },
      h("button", { type: "button", class: "primary", onclick: () => this.open() }, "Add recordings"),
      h("p", { class: "note" }, "or drop them anywhere on the page"),
      this.input,
      this.list,
      this.all,
      ...settings,
    );
    session.on("files", () => this.draw());
    session.on("current", () => this.draw());
    session.on("blind", () => this.draw());
    session.on("file", (open) => this.update(open));
    this.drops();
  }

  /** Asks for files. */
  open(): void {
    this.input.click();
  }

  private drops(): void {
    const over = (on: boolean) => document.body.classList.toggle("dropping", on);
    document.addEventListener("dragover", (event) => {
      event.preventDefault();
      over(true);
    });
    document.addEventListener("dragleave", (event) => !event.relatedTarget && over(false));
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      over(false);
      this.actions.choose([...(event.dataTransfer?.files ?? [])]);
    });
  }

  private draw(): void {
    for (const [open, item] of this.items) {
      if (this.session.files.includes(open)) continue;
      item.remove();
      this.items.delete(open);
    }
    for (const open of this.session.files) {
      if (!this.items.has(open)) {
        const item = h("li");
        this.items.set(open, item);
        this.list.append(item);
      }
      this.update(open);
    }
  }

  private update(open: OpenFile): void {
    const item = this.items.get(open);
    if (!item) return;
    const { session } = this;
    const { text, share } = stateOf(open, session.blind);
    const current = open === session.current;
    const key = JSON.stringify([text, share === null ? null : Math.round(share * 100), current, open.problem !== null]);
    this.all.hidden = session.files.filter((one) => one.report).length < 2;
    if (item.dataset.key === key) return;
    item.dataset.key = key;
    const focused = item.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset.role : null;
    const colour = open.report && !session.blind ? colours(Object.keys(open.report.scores))[open.report.top] : null;
    const dot = h("span", { class: "dot" });
    if (colour) dot.style.background = colour;
    fill(
      item,
      h(
        "button",
        { type: "button", class: "file", "data-role": "show", "aria-current": current && "true", onclick: () => session.show(open) },
        h("span", { class: "file-name", title: open.name }, open.name),
        h("span", { class: open.problem ? "file-state error" : "file-state" }, colour ? dot : null, text),
        share === null ? null : h("progress", { max: 1, value: share, "aria-label": `progress of ${open.name}` }),
      ),
      open.problem && open.file
        ? h("button", { type: "button", class: "quiet", "data-role": "retry", onclick: () => this.actions.retry(open) }, "Try again")
        : null,
      h(
        "button",
        { type: "button", class: "remove", "data-role": "remove", "aria-label": `remove ${open.name}`, title: "remove", onclick: () => this.actions.remove(open) },
        "×",
      ),
    );
    if (focused) item.querySelector<HTMLElement>(`[data-role=${focused}]`)?.focus();
  }

  /** The timelines of all recordings in one table; the first column is the file. */
  private async saveAll(): Promise<void> {
    const parts: string[] = [];
    for (const open of this.session.files) {
      if (!open.report || !open.job) continue;
      const text = await (await api.reportFile(open.job.id, "csv")).text();
      const end = text.indexOf("\n") + 1;
      const head = text.slice(0, end);
      // Models with other labels have other columns: their table begins with its own head.
      parts.push(parts.some((part) => part.startsWith(head)) ? text.slice(end) : text);
    }
    api.save(new Blob(parts, { type: "text/csv" }), "avtca-timelines.csv");
  }
}
