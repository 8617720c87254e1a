// Labelled ranges of one lane, without the DOM. Times are whole milliseconds; ranges are sorted and
// never overlap. Functions return new arrays, so that a history can keep the old ones.

export interface Labelled {
  readonly start: number;
  readonly end: number;
  /** Empty for a range without a label. */
  readonly label: string;
}

export type Ranges = readonly Labelled[];

/** Label of a range that is left out of agreement and training. */
export const EXCLUDE = "exclude";

/** Shortest range in milliseconds. */
export const SHORTEST = 10;

/** Adds a range; what lies under it is cut or removed. */
export function place(ranges: Ranges, added: Labelled): Ranges {
  if (added.end - added.start < SHORTEST) return ranges;
  const kept = ranges.flatMap((one) => [
    { ...one, end: Math.min(one.end, added.start) },
    { ...one, start: Math.max(one.start, added.end) },
  ]);
  return [...kept.filter((one) => one.end - one.start >= SHORTEST), added].sort((a, b) => a.start - b.start);
}

/** Index of the range at a time, or -1; the end is outside. */
export function at(ranges: Ranges, time: number): number {
  return ranges.findIndex((one) => one.start <= time && time < one.end);
}

/** Moves the start of a range, at most to the end of the range before it. */
export function moveStart(ranges: Ranges, index: number, time: number): Ranges {
  const one = ranges[index];
  if (!one) return ranges;
  const low = ranges[index - 1]?.end ?? 0;
  const start = Math.max(low, Math.min(time, one.end - SHORTEST));
  return start === one.start ? ranges : replaced(ranges, index, { ...one, start });
}

/** Moves the end of a range, at most to the start of the range after it, or to `length`. */
export function moveEnd(ranges: Ranges, index: number, time: number, length: number): Ranges {
  const one = ranges[index];
  if (!one) return ranges;
  const high = ranges[index + 1]?.start ?? Math.max(length, one.end);
  const end = Math.min(high, Math.max(time, one.start + SHORTEST));
  return end === one.end ? ranges : replaced(ranges, index, { ...one, end });
}

/** Cuts a range in two; both have its label. */
export function split(ranges: Ranges, index: number, time: number): Ranges {
  const one = ranges[index];
  if (!one || time - one.start < SHORTEST || one.end - time < SHORTEST) return ranges;
  return [...ranges.slice(0, index), { ...one, end: time }, { ...one, start: time }, ...ranges.slice(index + 1)];
}

export function label(ranges: Ranges, index: number, name: string): Ranges {
  const one = ranges[index];
  return one ? replaced(ranges, index, { ...one, label: name }) : ranges;
}

export function remove(ranges: Ranges, index: number): Ranges {
  return ranges.filter((_, i) => i !== index);
}

/** Index of the first range that starts after a time, or of the last that starts before it; -1 if there is none. */
export function neighbour(ranges: Ranges, time: number, forwards: boolean): number {
  if (forwards) return ranges.findIndex((one) => one.start > time);
  return ranges.reduce((found, one, i) => (one.start < time ? i : found), -1);
}

function replaced(ranges: Ranges, index: number, one: Labelled): Ranges {
  return [...ranges.slice(0, index), one, ...ranges.slice(index + 1)];
}

/** States that can be undone. */
export class History<T> {
  private past: T[] = [];
  private future: T[] = [];

  constructor(
    private present: T,
    private readonly limit = 1000,
  ) {}

  get now(): T {
    return this.present;
  }

  get canUndo(): boolean {
    return this.past.length > 0;
  }

  get canRedo(): boolean {
    return this.future.length > 0;
  }

  /** Makes a state the present one; the same state again changes nothing. */
  push(next: T): void {
    if (next === this.present) return;
    this.past.push(this.present);
    if (this.past.length > this.limit) this.past.shift();
    this.present = next;
    this.future = [];
  }

  /** Changes all states, where something became known later; this is no step of its own. */
  amend(change: (state: T) => T): void {
    this.past = this.past.map(change);
    this.future = this.future.map(change);
    this.present = change(this.present);
  }

  undo(): boolean {
    const before = this.past.pop();
    if (before === undefined) return false;
    this.future.push(this.present);
    this.present = before;
    return true;
  }

  redo(): boolean {
    const after = this.future.pop();
    if (after === undefined) return false;
    this.past.push(this.present);
    this.present = after;
    return true;
  }
}
