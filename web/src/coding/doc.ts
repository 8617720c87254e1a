// The coding of one recording, without the DOM: its lanes, what was shown meanwhile, and its text in
// the browser's storage.
import { EXCLUDE, type Ranges } from "./ranges";

export interface Lane {
  readonly id: number;
  /** Name of a lane that came from a file; others are named by coder and person. */
  readonly given: string;
  readonly coder: string;
  /** The person that is coded: the speaker of a training. */
  readonly person: string;
  /** Remarks of the file that the lane came from. */
  readonly notes: string;
  readonly imported: boolean;
  /** Changed on this page. */
  readonly edited: boolean;
  readonly ranges: Ranges;
}

/** The machine's results became visible. */
export interface Shown {
  readonly time: string;
  /** Ranges that were coded by then. */
  readonly ranges: number;
}

export interface Doc {
  readonly lanes: readonly Lane[];
  /** `id` of the lane that is edited. */
  readonly active: number;
  readonly labels: readonly string[];
  readonly shown: readonly Shown[];
}

/** The JSON of the server, docs/coding.md. */
export interface Tier {
  name: string;
  intervals: { start_s: number; end_s: number; label: string }[];
  coder: string;
  participant: string;
  notes: string;
}

export interface Coding {
  media: string;
  duration_s: number | null;
  tiers: Tier[];
  labels: string[];
  left_out?: string[];
}

/** Names of the lanes: "CODER@PERSON", with a number where two are the same. */
export function names(lanes: readonly Lane[]): string[] {
  const taken = new Set<string>();
  return lanes.map((lane) => {
    const coder = lane.coder.trim() || "coding";
    const plain = lane.given || (lane.person.trim() ? `${coder}@${lane.person.trim()}` : coder);
    let name = plain;
    for (let n = 2; taken.has(name); n++) name = `${plain} ${n}`;
    taken.add(name);
    return name;
  });
}

/** What a reader of exported data must know of how a lane was coded. */
export function notes(lane: Lane, shown: readonly Shown[]): string {
  if (!lane.edited) return lane.notes;
  const times = shown.map((one) =>
    one.ranges ? `results of the model shown ${one.time} after ${one.ranges} ranges` : "results of the model shown before coding began",
  );
  const own = times.length ? times.join("; ") : "coded blind: results of the model hidden";
  return lane.notes && lane.notes !== own ? `${lane.notes}; ${own}` : own;
}

export function toCoding(doc: Doc, media: string, duration_s: number, only?: number): Coding {
  const all = names(doc.lanes);
  const tiers = doc.lanes.map((lane, i) => ({
    name: all[i]!,
    intervals: lane.ranges.map((one) => ({ start_s: one.start / 1000, end_s: one.end / 1000, label: one.label })),
    coder: lane.coder,
    participant: lane.person,
    notes: notes(lane, doc.shown),
  }));
  return {
    media,
    duration_s: duration_s > 0 ? duration_s : null,
    tiers: only === undefined ? tiers : tiers.filter((_, i) => doc.lanes[i]!.id === only),
    labels: [...doc.labels],
  };
}

export function fromTier(tier: Tier, id: number): Lane {
  return {
    id,
    given: tier.name,
    coder: tier.coder,
    person: tier.participant,
    notes: tier.notes,
    imported: true,
    edited: false,
    ranges: tier.intervals.map((one) => ({
      start: Math.round(one.start_s * 1000),
      end: Math.round(one.end_s * 1000),
      label: one.label,
    })),
  };
}

/** Labels that the lanes have and the list of labels lacks. */
export function moreLabels(labels: readonly string[], lanes: readonly Lane[]): string[] {
  const used = lanes.flatMap((lane) => lane.ranges.map((one) => one.label));
  return [...new Set(used)].filter((name) => name && name !== EXCLUDE && !labels.includes(name));
}

const VERSION = 1;

export function toText(doc: Doc): string {
  return JSON.stringify({ version: VERSION, ...doc });
}

/** The coding in a text of the storage; null if it is another version's, or damaged. */
export function fromText(text: string): Doc | null {
  try {
    const { version, ...doc } = JSON.parse(text) as Doc & { version: number };
    const whole = version === VERSION && Array.isArray(doc.lanes) && Array.isArray(doc.labels) && Array.isArray(doc.shown);
    return whole ? doc : null;
  } catch {
    return null;
  }
}
