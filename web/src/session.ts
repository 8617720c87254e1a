// What is open on the page, and where the playhead is. Every part of the page listens here.
import type { AttentionWindow, Job, Model, Options, Problem, Report, Track } from "./types";

export interface View {
  start_s: number;
  end_s: number;
}

export interface Range {
  start_s: number;
  end_s: number;
}

/** A recording of the session. Its media stay in the browser and are played from `url`. */
export interface OpenFile {
  readonly key: number;
  readonly name: string;
  /** Null for results of an earlier visit, until the file is chosen again. */
  file: File | null;
  url: string | null;
  /** Share of the upload, 0..1; null before it starts. */
  uploaded: number | null;
  /** What is waited for, in words: a busy server, a lost connection. */
  waiting: string | null;
  job: Job | null;
  report: Report | null;
  track: Track | null;
  attention: AttentionWindow[] | null;
  problem: Problem | null;
  /** Options of the recognition; null for those of the form. */
  options: Options | null;
  /** The same recording while it is recognised with other options; its results replace those of this one. */
  again: OpenFile | null;
  /** Seconds: of the report, else of the player, else 0. */
  duration_s: number;
}

export interface Events {
  /** Files were added or removed. */
  files: void;
  /** The state, progress or results of a file changed. */
  file: OpenFile;
  /** Another file is shown, or none. */
  current: OpenFile | null;
  /** The playhead moved; seconds of the media, the timestamp of the frame in view. */
  playhead: number;
  /** Another part of the timeline is visible. */
  view: View;
  /** The range selected in the timeline. */
  selection: Range | null;
  /** Another person is highlighted; null for the whole file. */
  person: number | null;
  /** The machine's lanes and overlay are hidden (blind coding). */
  blind: boolean;
  models: Model[];
}

type Listener<T> = (value: T) => void;

export class Session {
  readonly files: OpenFile[] = [];
  models: Model[] = [];
  current: OpenFile | null = null;
  playhead_s = 0;
  view: View = { start_s: 0, end_s: 1 };
  selection: Range | null = null;
  person: number | null = null;
  blind = false;
  private listeners: { [K in keyof Events]?: Listener<Events[K]>[] } = {};
  private keys = 0;

  /** Calls `listener` at each event; returns a function that ends this. */
  on<K extends keyof Events>(event: K, listener: Listener<Events[K]>): () => void {
    const all = (this.listeners[event] ??= []) as Listener<Events[K]>[];
    all.push(listener);
    return () => all.splice(all.indexOf(listener), 1);
  }

  emit<K extends keyof Events>(event: K, value: Events[K]): void {
    for (const listener of [...((this.listeners[event] ?? []) as Listener<Events[K]>[])]) {
      listener(value);
    }
  }

  /** Adds a file, or the results of an earlier visit. A file of the same name joins its results. */
  add(file: File | null, job: Job | null = null): OpenFile {
    const known = file && this.files.find((open) => !open.file && open.name === file.name);
    if (known) {
      known.file = file;
      known.url = URL.createObjectURL(file);
      this.changed(known);
      if (known === this.current) this.show(known);
      return known;
    }
    const open = this.make(file, job?.name ?? "", job);
    open.url = file && URL.createObjectURL(file);
    this.files.push(open);
    this.emit("files", undefined);
    return open;
  }

  /** A recording that is not listed. */
  make(file: File | null, name: string, job: Job | null = null, options: Options | null = null): OpenFile {
    return {
      key: ++this.keys,
      name: file?.name ?? name,
      file,
      url: null,
      uploaded: null,
      waiting: null,
      job,
      report: null,
      track: null,
      attention: null,
      problem: null,
      options,
      again: null,
      duration_s: 0,
    };
  }

  remove(open: OpenFile): void {
    const at = this.files.indexOf(open);
    if (at < 0) return;
    this.files.splice(at, 1);
    this.emit("files", undefined);
    if (this.current === open) this.show(this.files[Math.min(at, this.files.length - 1)] ?? null);
    if (open.url) URL.revokeObjectURL(open.url);
  }

  show(open: OpenFile | null): void {
    this.current = open;
    this.person = null;
    this.selection = null;
    this.playhead_s = 0;
    this.view = { start_s: 0, end_s: open?.duration_s || 1 };
    this.emit("current", open);
    this.emit("view", this.view);
    this.emit("playhead", 0);
  }

  changed(open: OpenFile): void {
    this.emit("file", open);
  }

  setDuration(open: OpenFile, duration_s: number): void {
    if (!(duration_s > 0) || !Number.isFinite(duration_s) || duration_s === open.duration_s) return;
    const whole = this.view.start_s === 0 && this.view.end_s >= (open.duration_s || 1);
    open.duration_s = duration_s;
    if (open === this.current && whole) this.setView(0, duration_s);
    this.changed(open);
  }

  setPlayhead(time_s: number): void {
    if (time_s === this.playhead_s) return;
    this.playhead_s = time_s;
    this.emit("playhead", time_s);
  }

  /** Shows a part of the timeline, moved and cut so that it lies inside the file. */
  setView(start_s: number, end_s: number): void {
    const length = this.current?.duration_s || 1;
    const width = Math.min(length, Math.max(end_s - start_s, Math.min(0.2, length)));
    const start = Math.min(Math.max(0, start_s), length - width);
    this.view = { start_s: start, end_s: start + width };
    this.emit("view", this.view);
  }

  setSelection(range: Range | null): void {
    this.selection = range;
    this.emit("selection", range);
  }

  setPerson(person: number | null): void {
    this.person = person;
    this.emit("person", person);
  }

  setBlind(blind: boolean): void {
    this.blind = blind;
    this.emit("blind", blind);
  }
}
