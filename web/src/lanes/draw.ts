// What several lanes draw.
import type { Bar } from "../series";
import { palette } from "../theme";

/** A step curve from `low` to `high` of each bar, as one path for each run of numbers. */
export function stepPath(
  c: CanvasRenderingContext2D,
  bars: Bar[],
  low: (bar: Bar) => number,
  high: (bar: Bar) => number,
): void {
  c.beginPath();
  let first = 0;
  while (first < bars.length) {
    if (Number.isNaN(bars[first]!.values[0])) {
      first++;
      continue;
    }
    let last = first;
    while (last < bars.length && !Number.isNaN(bars[last]!.values[0])) last++;
    c.moveTo(bars[first]!.x0, high(bars[first]!));
    for (let i = first; i < last; i++) {
      c.lineTo(bars[i]!.x0, high(bars[i]!));
      c.lineTo(bars[i]!.x1, high(bars[i]!));
    }
    for (let i = last - 1; i >= first; i--) {
      c.lineTo(bars[i]!.x1, low(bars[i]!));
      c.lineTo(bars[i]!.x0, low(bars[i]!));
    }
    c.closePath();
    first = last;
  }
}

/** The upper edge of each bar as a line, with breaks where there are no numbers. */
export function stepLine(c: CanvasRenderingContext2D, bars: Bar[], y: (bar: Bar) => number): void {
  c.beginPath();
  let broken = true;
  for (const bar of bars) {
    if (Number.isNaN(bar.values[0])) {
      broken = true;
      continue;
    }
    if (broken) c.moveTo(bar.x0, y(bar));
    else c.lineTo(bar.x0, y(bar));
    c.lineTo(bar.x1, y(bar));
    broken = false;
  }
}

/** Diagonal stripes: nothing is known, or below the threshold. */
export function hatch(colour: string, spacing = 6): CanvasPattern {
  const tile = document.createElement("canvas");
  const scale = window.devicePixelRatio || 1;
  tile.width = tile.height = Math.round(spacing * scale);
  const c = tile.getContext("2d")!;
  c.strokeStyle = colour;
  c.lineWidth = 1.2 * scale;
  const n = tile.width;
  c.beginPath();
  for (const shift of [-n, 0, n]) {
    c.moveTo(shift, n);
    c.lineTo(shift + n, 0);
  }
  c.stroke();
  const pattern = c.createPattern(tile, "repeat")!;
  pattern.setTransform(new DOMMatrix().scale(1 / scale));
  return pattern;
}

/** Stripes over the bars without numbers. */
export function drawGaps(c: CanvasRenderingContext2D, bars: Bar[], height: number): void {
  c.fillStyle = hatch(palette().line);
  for (const bar of bars) {
    if (Number.isNaN(bar.values[0])) c.fillRect(bar.x0, 0, bar.x1 - bar.x0, height);
  }
}
