// Who speaks when: names, colours and texts of the turns of a report.
import { clock, length } from "./format";
import type { Row, Turn } from "./types";

/** Light, so that black text can be read on them; people from the seventh on begin anew. */
const COLOURS = ["#a6cee3", "#fdbf6f", "#cab2d6", "#b2df8a", "#fb9a99", "#e0cda9"];
const LISTED = 20;

export const personColour = (person: number) => COLOURS[person % COLOURS.length]!;

/** As `Turn.speaker` of the Python package. */
export function speakerName(turn: Turn): string {
  if (turn.person !== null) return `person ${turn.person}`;
  return turn.visible === null ? "undecided" : "off screen";
}

/** The turn at a moment. */
export function turnAt(turns: Turn[], time_s: number): Turn | null {
  const turn = turns.findLast((one) => one.start_s <= time_s + 1e-6);
  return turn && time_s < turn.end_s ? turn : null;
}

/** Who speaks at a moment, in words; empty without a voice. */
export function speaksText(turn: Turn | null): string {
  if (!turn) return "";
  if (turn.visible === null) return "undecided who speaks";
  return `${turn.person === null ? "somebody off screen" : speakerName(turn)} speaks`;
}

/** How long each speaker speaks, in words. */
export function totals(turns: Turn[]): string {
  const seconds = new Map<string, number>();
  for (const turn of turns) {
    const name = speakerName(turn);
    seconds.set(name, (seconds.get(name) ?? 0) + turn.end_s - turn.start_s);
  }
  const all = [...seconds].sort((a, b) => b[1] - a[1]).map(([name, time]) => `${name} ${length(time)}`);
  return all.slice(0, LISTED).join(", ") + (all.length > LISTED ? ` and ${all.length - LISTED} more` : "");
}

export const turnText = (turn: Turn) => `${clock(turn.start_s)} to ${clock(turn.end_s)} ${speakerName(turn)}`;

/** Share of the voice from which a person counts as speaking, as `SPEAKS` of the Python package. */
const SPEAKS = 0.25;

/** Whether a person speaks in a live window with several faces; null where it is undecided. */
export function speaksIn(row: Row): boolean | null {
  return typeof row.speaking === "number" ? row.speaking > 0 && row.speaking >= SPEAKS * row.voice : null;
}

/** Parts of the turns in which those of some windows speak, and those in which it is undecided. */
export function spoken(rows: Row[], turns: Turn[]): Turn[] {
  const parts: Turn[] = [];
  let first = 0;
  for (const turn of turns) {
    while (first < rows.length && rows[first]!.end_s <= turn.start_s) first++;
    for (let i = first; i < rows.length && rows[i]!.start_s < turn.end_s; i++) {
      const row = rows[i]!;
      if (turn.visible !== null && turn.person !== row.person) continue;
      const last = parts[parts.length - 1];
      const start_s = Math.max(turn.start_s, row.start_s);
      const end_s = Math.min(turn.end_s, row.end_s);
      if (end_s <= start_s) continue;
      if (last && last.visible === turn.visible && last.person === turn.person && last.end_s >= start_s) {
        last.end_s = Math.max(last.end_s, end_s);
      } else parts.push({ ...turn, start_s, end_s });
    }
  }
  return parts;
}
