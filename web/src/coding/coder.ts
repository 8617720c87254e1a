// The coder's work on the recording in view: what is selected, begun, done, undone and saved.
import { colours, ordered } from "../palette";
import type { OpenFile, Session } from "../session";
import { fromText, fromTier, moreLabels, names, toText, type Doc, type Lane, type Tier } from "./doc";
import * as ranges from "./ranges";
import { EXCLUDE, History, type Labelled, type Ranges } from "./ranges";

const PREFIX = "avtca.coding:";
const BLIND = "avtca.coding-blind";
const BASIC = ["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"];
/** Milliseconds between a change and its saving. */
const SAVE_AFTER = 300;

interface Work {
  history: History<readonly Lane[]>;
  /** `id` of the lane that is edited. */
  active: number;
  labels: readonly string[];
  shown: Doc["shown"];
  /** The results of the model are hidden, or are not there yet. */
  hidden: boolean;
  /** Text in the storage as this tab read or wrote it. */
  stored: string | null;
  /** Another tab has changed the stored coding: this one is not saved any more. */
  elsewhere: boolean;
}

/** A range that was begun and has no end yet. */
interface Begun {
  start: number;
  label: string;
}

export class Coder {
  /** Index of the selected range of the active lane, or -1. */
  selected = -1;
  begun: Begun | null = null;
  /** When the coding was saved in the browser; null before, false where it could not be. */
  saved: Date | null | false = null;
  private readonly works = new Map<OpenFile, Work>();
  private readonly listeners: (() => void)[] = [];
  private timer = 0;

  constructor(
    private readonly session: Session,
    private readonly now: () => number,
  ) {
    session.setBlind(read(BLIND) === "on");
    session.on("current", () => {
      this.selected = -1;
      this.begun = null;
      this.saved = null;
      this.look();
      this.changed();
    });
    session.on("file", () => this.look());
    session.on("files", () => {
      for (const open of [...this.works.keys()]) if (!session.files.includes(open)) this.works.delete(open);
      this.look();
    });
    session.on("blind", (blind) => {
      write(BLIND, blind ? "on" : null);
      this.look();
      this.changed();
    });
    session.on("selection", (range) => {
      if (range || this.selected < 0) return;
      this.select(-1);
    });
    window.addEventListener("pagehide", () => this.save());
    window.addEventListener("storage", ({ key }) => {
      for (const [open, work] of this.works) {
        if (key !== null && key !== keyOf(open)) continue;
        work.elsewhere ||= read(keyOf(open)) !== work.stored;
      }
      this.changed();
    });
    document.addEventListener("visibilitychange", () => document.hidden && this.save());
  }

  /** Calls `listener` after every change. */
  on(listener: () => void): void {
    this.listeners.push(listener);
  }

  private changed(): void {
    for (const listener of this.listeners) listener();
  }

  /** The coding of the recording in view; null without a file. */
  private get work(): Work | null {
    const open = this.session.current;
    return open?.file ? this.workOf(open) : null;
  }

  private workOf(open: OpenFile): Work {
    let work = this.works.get(open);
    if (!work) {
      const stored = read(keyOf(open));
      const doc = fromText(stored ?? "");
      work = {
        history: new History<readonly Lane[]>(doc?.lanes ?? []),
        active: doc?.active ?? 0,
        labels: doc?.labels ?? [],
        shown: doc?.shown ?? [],
        hidden: true,
        stored,
        elsewhere: false,
      };
      this.works.set(open, work);
    }
    return work;
  }

  /** Notes it where results of the model became visible: the list of recordings shows those of all. */
  private look(): void {
    for (const open of this.session.files) {
      if (!open.file) continue;
      const work = this.workOf(open);
      const visible = !this.session.blind && open.report !== null;
      if (visible && work.hidden) {
        const coded = work.history.now.filter((lane) => lane.edited);
        const count = coded.reduce((sum, lane) => sum + lane.ranges.length, 0);
        const time = new Date().toISOString().replace(/\.\d+Z$/, "Z");
        if (count || !work.shown.some((one) => !one.ranges)) work.shown = [...work.shown, { time, ranges: count }];
        this.save(open);
      }
      work.hidden = !visible;
    }
  }

  get doc(): Doc | null {
    const work = this.work;
    return work && { lanes: work.history.now, active: work.active, labels: this.labels, shown: work.shown };
  }

  /** Whether another tab has changed the coding of this recording. */
  get elsewhere(): boolean {
    return this.work?.elsewhere ?? false;
  }

  get lanes(): readonly Lane[] {
    return this.work?.history.now ?? [];
  }

  get names(): string[] {
    return names(this.lanes);
  }

  get active(): Lane | null {
    return this.lanes.find((lane) => lane.id === this.work?.active) ?? this.lanes[0] ?? null;
  }

  get canUndo(): boolean {
    return this.work?.history.canUndo ?? false;
  }

  get canRedo(): boolean {
    return this.work?.history.canRedo ?? false;
  }

  /** The labels to choose from: the coder's own, else those of the model. */
  get labels(): readonly string[] {
    const work = this.work;
    if (work?.labels.length) return work.labels;
    const report = this.session.current?.report;
    const model = this.session.models.find((one) => one.default);
    return ordered(report ? Object.keys(report.scores) : (model?.labels ?? BASIC));
  }

  setLabels(labels: string[]): void {
    if (!this.work) return;
    const kept = labels.map((one) => one.trim()).filter((one) => one && one !== EXCLUDE);
    this.work.labels = [...new Set(kept)];
    this.later();
    this.changed();
  }

  /** Colours of the labels, also of those that only some lane has. */
  get colours(): Record<string, string> {
    return colours([...this.labels, ...moreLabels(this.labels, this.lanes)]);
  }

  /** Starts coding: a lane of one's own, and the results of the model hidden. */
  start(coder: string): void {
    if (!this.work) return;
    this.work.labels = [...this.labels];
    if (!this.session.blind) this.session.setBlind(true);
    this.addLane(coder, "");
  }

  addLane(coder: string, person: string): void {
    const lane = { id: this.free(), given: "", coder, person, notes: "", imported: false, edited: true, ranges: [] };
    this.push([...this.lanes, lane], lane.id);
  }

  /** Adds the lanes of a file. */
  addTiers(tiers: Tier[]): void {
    if (!this.work) return;
    const id = this.free();
    const added = tiers.map((tier, i) => fromTier(tier, id + i));
    this.work.labels = [...this.labels, ...moreLabels(this.labels, added)];
    this.push([...this.lanes, ...added]);
  }

  removeLane(): void {
    this.begun = null;
    this.selected = -1;
    this.push(this.lanes.filter((lane) => lane !== this.active));
  }

  activate(id: number): void {
    if (id === this.active?.id) return;
    this.begun = null;
    this.selected = -1;
    this.push(this.lanes, id);
  }

  describe(change: Partial<Pick<Lane, "coder" | "person" | "given">>): void {
    const active = this.active;
    if (active) this.replace({ ...active, ...change });
  }

  private free(): number {
    return Math.max(0, ...this.lanes.map((lane) => lane.id)) + 1;
  }

  private push(next: readonly Lane[], active = this.active?.id ?? 0): void {
    if (!this.work) return;
    this.work.history.push(next);
    this.work.active = active;
    this.later();
    this.changed();
  }

  private replace(lane: Lane): void {
    this.push(this.lanes.map((one) => (one.id === lane.id ? lane : one)));
  }

  /** Makes other ranges those of the active lane, and selects the one at a time. */
  private set(next: Ranges, select: number | null): void {
    const lane = this.active;
    if (!lane) return;
    this.selected = select === null ? -1 : next.findIndex((one) => one.start <= select && select < one.end);
    if (next !== lane.ranges) this.replace({ ...lane, ranges: next, edited: true });
    else this.changed();
  }

  get ranges(): Ranges {
    return this.active?.ranges ?? [];
  }

  get range(): ranges.Labelled | null {
    return this.ranges[this.selected] ?? null;
  }

  select(index: number): void {
    this.selected = index;
    if (index >= 0) this.begun = null;
    this.changed();
  }

  /** Selects the range after or before the playhead; returns its start. */
  step(forwards: boolean): number | null {
    const from = this.range?.start ?? this.now();
    const index = ranges.neighbour(this.ranges, from, forwards);
    if (index < 0) return null;
    this.select(index);
    return this.range!.start;
  }

  /** Adds a range; it is selected unless it already has a label. */
  add(start: number, end: number, label = ""): void {
    if (!this.active) return;
    const one = { start: Math.min(start, end), end: Math.max(start, end), label };
    this.set(ranges.place(this.ranges, one), label ? null : one.start);
  }

  /** Start or end of a range, other ranges under it are cut. */
  move(index: number, start: number, end: number): void {
    const one = this.ranges[index];
    if (!one || !this.active) return;
    let next = this.ranges;
    if (end !== one.end) next = ranges.moveEnd(next, index, end, this.length);
    if (start !== one.start) next = ranges.moveStart(next, index, start);
    this.set(next, next[index]!.start);
  }

  /** Moves the edges of a range to those of frames, once these are known; it may have a label by then. */
  refine(lane: Lane, from: Labelled, start: number, end: number): void {
    const moved = (old: Ranges): Ranges => {
      const index = old.findIndex((one) => one.start === from.start && one.end === from.end);
      return index < 0 ? old : ranges.moveStart(ranges.moveEnd(old, index, end, this.length), index, start);
    };
    this.work?.history.amend((lanes) =>
      lanes.map((one) => (one.id === lane.id ? { ...one, ranges: moved(one.ranges) } : one)),
    );
    this.later();
    this.changed();
  }

  private get length(): number {
    return Math.round((this.session.current?.duration_s ?? 0) * 1000) || Number.MAX_SAFE_INTEGER;
  }

  /** Gives a label: to the selected range, else to the selected time, else from the playhead on. */
  label(label: string): void {
    if (!this.active) return;
    const selection = this.session.selection;
    if (this.range) {
      this.set(ranges.label(this.ranges, this.selected, label), this.range.start);
    } else if (selection) {
      this.add(Math.round(selection.start_s * 1000), Math.round(selection.end_s * 1000), label);
      this.session.setSelection(null);
    } else {
      const before = this.begun;
      if (before) this.finish();
      if (before?.label !== label) this.begin(label);
    }
  }

  private begin(label: string): void {
    this.begun = { start: this.now(), label };
    this.changed();
  }

  /** Ends the range that was begun, at the playhead. */
  private finish(): void {
    const { start, label } = this.begun!;
    this.begun = null;
    this.add(start, this.now(), label);
  }

  /** Moves the start of the selected range to the playhead, or begins a range there. */
  markStart(): void {
    const { range } = this;
    if (!this.active) return;
    if (range && this.now() < range.end) {
      this.move(this.selected, this.now(), range.end);
    } else {
      this.selected = -1;
      this.begin("");
    }
  }

  /** Ends the range that was begun, or moves the end of the selected range to the playhead. */
  markEnd(): void {
    const { range } = this;
    if (this.begun) this.finish();
    else if (range && this.now() > range.start) this.move(this.selected, range.start, this.now());
  }

  split(): void {
    const time = this.now();
    const index = ranges.at(this.ranges, time);
    if (index >= 0) this.set(ranges.split(this.ranges, index, time), time);
  }

  /** Deletes the selected range, or the one that was begun. */
  remove(): void {
    if (this.begun) {
      this.begun = null;
      this.changed();
    } else if (this.range) {
      this.set(ranges.remove(this.ranges, this.selected), null);
    }
  }

  undo(): void {
    this.travel((history) => history.undo());
  }

  redo(): void {
    this.travel((history) => history.redo());
  }

  private travel(go: (history: History<readonly Lane[]>) => boolean): void {
    this.begun = null;
    this.selected = -1;
    if (this.work) go(this.work.history);
    this.later();
    this.changed();
  }

  private later(): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.save(), SAVE_AFTER);
  }

  /** Saves a coding in the browser; a range without an end gets the playhead as its end. */
  private save(open = this.session.current): void {
    if (open === this.session.current) clearTimeout(this.timer);
    const work = open?.file && this.works.get(open);
    if (!open || !work) return;
    const lanes = work.history.now;
    if (!lanes.length && work.stored === null) return;
    work.elsewhere ||= read(keyOf(open)) !== work.stored;
    if (work.elsewhere) return this.changed();
    let kept = lanes;
    if (this.begun && open === this.session.current && this.active) {
      const { id } = this.active;
      const [from, to] = [this.begun.start, this.now()].sort((a, b) => a - b) as [number, number];
      const one = { start: from, end: to, label: this.begun.label };
      kept = lanes.map((lane) => (lane.id === id ? { ...lane, ranges: ranges.place(lane.ranges, one) } : lane));
    }
    const text = lanes.length ? toText({ lanes: kept, active: work.active, labels: work.labels, shown: work.shown }) : null;
    const done = write(keyOf(open), text);
    if (done) work.stored = text;
    if (open !== this.session.current) return;
    this.saved = done && (text === null ? null : new Date());
    this.changed();
  }
}

function keyOf(open: OpenFile): string {
  return `${PREFIX}${open.name}:${open.file?.size ?? 0}:${open.file?.lastModified ?? 0}`;
}

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // storage is switched off
  }
}

/** Whether the text could be stored. */
function write(key: string, text: string | null): boolean {
  try {
    if (text === null) localStorage.removeItem(key);
    else localStorage.setItem(key, text);
    return true;
  } catch {
    return false; // storage is switched off or full
  }
}
