// Values over time from overlapping windows, and the visible part of them.
import type { Row, Scores } from "./types";
import type { View } from "./session";

export interface Series {
  /** Edges of the moments in seconds, one more than moments. */
  edges: Float64Array;
  /** `columns` values for each moment; NaN where no window has any. */
  values: Float32Array;
  columns: number;
}

/** The mean of the windows that cover each moment, as `mean_scores` of the Python package. */
export function meanOver(rows: Row[], columns: number, valuesOf: (row: Row) => number[] | null): Series {
  const times = new Set<number>();
  for (const row of rows) times.add(row.start_s).add(row.end_s);
  const edges = Float64Array.from(times).sort();
  const at = new Map(Array.from(edges, (time, i) => [time, i]));
  const n = Math.max(0, edges.length - 1);
  const [sums, counts] = [new Float64Array((n + 1) * columns), new Int32Array(n + 1)];
  for (const row of rows) {
    const values = valuesOf(row);
    const [first, last] = [at.get(row.start_s)!, at.get(row.end_s)!];
    if (!values || last <= first) continue;
    counts[first]! += 1;
    counts[last]! -= 1;
    values.forEach((value, j) => {
      sums[first * columns + j]! += value;
      sums[last * columns + j]! -= value;
    });
  }
  const values = new Float32Array(n * columns);
  const running = new Float64Array(columns);
  let count = 0;
  for (let i = 0; i < n; i++) {
    count += counts[i]!;
    for (let j = 0; j < columns; j++) {
      running[j]! += sums[i * columns + j]!;
      values[i * columns + j] = count ? Math.max(0, running[j]! / count) : NaN;
    }
  }
  return { edges, values, columns };
}

export const scoresOver = (rows: Row[], labels: string[]) =>
  meanOver(rows, labels.length, (row) => (row.top === null ? null : labels.map((label) => row.scores[label] ?? 0)));

/** The share in which a person speaks, of the windows in which it is decided. */
export const speakingOver = (rows: Row[]) =>
  meanOver(rows, 1, (row) => (typeof row.speaking === "number" ? [row.speaking] : null));

/** The first row of each window: its largest steady face, or the audio alone. */
export function mainRows(rows: Row[]): Row[] {
  const seen = new Set<number>();
  return rows.filter((row) => !seen.has(row.start_s) && seen.add(row.start_s));
}

/** Index of the last of ascending times that is not after `time_s`; -1 before the first. */
export function lastBefore(times: ArrayLike<number>, time_s: number): number {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle]! <= time_s) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Values at a moment; null where there are none. */
export function valuesAt(series: Series, time_s: number): number[] | null {
  const n = series.edges.length - 1;
  let i = lastBefore(series.edges, time_s);
  if (i === n && time_s <= series.edges[n]! + 0.25) i = n - 1; // the last frame ends the last window
  if (i < 0 || i >= n) return null;
  const values = Array.from(series.values.subarray(i * series.columns, (i + 1) * series.columns));
  return Number.isNaN(values[0]) ? null : values;
}

/** A stretch of the drawing with one value for each column. */
export interface Bar {
  x0: number;
  x1: number;
  values: Float32Array;
}

/** The visible moments as bars in pixels; of several in one pixel, the mean. */
export function visible(series: Series, view: View, width: number): Bar[] {
  const { edges, values, columns } = series;
  const n = edges.length - 1;
  const scale = width / (view.end_s - view.start_s);
  const x = (time: number) => (time - view.start_s) * scale;
  const bars: Bar[] = [];
  let i = Math.max(0, lastBefore(edges, view.start_s));
  while (i < n && edges[i]! < view.end_s) {
    const pixel = Math.max(0, x(edges[i]!));
    let next = i + 1;
    while (next < n && x(edges[next]!) < pixel + 1) next++;
    let one = values.subarray(i * columns, (i + 1) * columns);
    if (next > i + 1) {
      one = new Float32Array(columns);
      let weight = 0;
      for (let k = i; k < next; k++) {
        if (Number.isNaN(values[k * columns])) continue;
        const length = edges[k + 1]! - edges[k]!;
        weight += length;
        for (let j = 0; j < columns; j++) one[j]! += values[k * columns + j]! * length;
      }
      for (let j = 0; j < columns; j++) one[j] = weight ? one[j]! / weight : NaN;
    }
    bars.push({ x0: pixel, x1: Math.min(width, x(edges[next]!)), values: one });
    i = next;
  }
  return bars;
}

/** The label with the highest score and the score. */
export function best(scores: Scores): [string, number] | null {
  let found: [string, number] | null = null;
  for (const [label, score] of Object.entries(scores)) {
    if (!found || score > found[1]) found = [label, score];
  }
  return found;
}
