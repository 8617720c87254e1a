// Which moments of the voice the face attended to: over the clip, and from the moment at the playhead.
import { h } from "../dom";
import { CanvasLane, xOf } from "../lane";
import type { Session, View } from "../session";
import type { AttentionMap, AttentionWindow } from "../types";
import { palette } from "../theme";

const CURVE = 34;
const CELLS = 18;
const GAP = 4;
/** Attention relative to equal attention at which the cells are full. */
const MOST = 3;

interface Received {
  time_s: number;
  half_s: number;
  value: number;
}

/** The last map of the network in which the face attends to the voice. */
export function betweenMap(window: AttentionWindow): AttentionMap | null {
  const found = Object.values(window.maps).filter((map) => map.query === "face" && map.key === "voice");
  return found.at(-1) ?? null;
}

function halfStep(times: number[]): number {
  let least = Infinity;
  for (let i = 1; i < times.length; i++) least = Math.min(least, times[i]! - times[i - 1]!);
  return Number.isFinite(least) ? least / 2 : 0.05;
}

export class AttentionLane extends CanvasLane {
  override readonly follows = true;
  override readonly rowNames: [string, number][] = [["mean", CURVE / 2], ["at playhead", CURVE + GAP + CELLS / 2]];
  private cache: { windows: AttentionWindow[]; person: number | null; received: Received[] } | null = null;

  constructor(private readonly session: Session) {
    super(
      "Attention",
      CURVE + GAP + CELLS,
      true,
      h("small", {}, "face to voice"),
      h("span", { class: "rows attention" }, h("i", {}, "mean"), h("i", {}, "at playhead")),
    );
  }

  private windows(): AttentionWindow[] {
    const all = this.session.current?.attention ?? [];
    const { person } = this.session;
    return person === null ? all : all.filter((one) => one.person === person);
  }

  /** How much each moment of the voice was attended to, relative to equal attention. */
  private received(): Received[] {
    const windows = this.session.current?.attention ?? [];
    const { person } = this.session;
    if (this.cache?.windows !== windows || this.cache.person !== person) {
      const received: Received[] = [];
      for (const one of this.windows()) {
        const map = betweenMap(one);
        if (!map) continue;
        const half_s = halfStep(map.key_s);
        map.key_s.forEach((time_s, k) => {
          const sum = map.weights.reduce((total, row) => total + row[k]!, 0);
          received.push({ time_s, half_s, value: (sum / map.weights.length) * map.key_s.length });
        });
      }
      received.sort((a, b) => a.time_s - b.time_s);
      this.cache = { windows, person, received };
    }
    return this.cache.received;
  }

  /** The weights of the moment of the face at the playhead, of the window around it. */
  at(playhead_s: number): { window: AttentionWindow; map: AttentionMap; row: number } | null {
    let found: { window: AttentionWindow; map: AttentionMap; row: number } | null = null;
    let nearest = Infinity;
    for (const window of this.windows()) {
      if (playhead_s < window.start_s || playhead_s > window.end_s) continue;
      const off = Math.abs((window.start_s + window.end_s) / 2 - playhead_s);
      const map = betweenMap(window);
      if (!map || off >= nearest) continue;
      nearest = off;
      const distance = (time: number) => Math.abs(time - playhead_s);
      const row = map.query_s.reduce((best, time, i) => (distance(time) < distance(map.query_s[best]!) ? i : best), 0);
      found = { window, map, row };
    }
    return found;
  }

  paint(c: CanvasRenderingContext2D, width: number, _height: number, view: View, playhead_s: number): void {
    const colours = palette();
    const columns = new Float64Array(Math.ceil(width));
    const counts = new Float64Array(Math.ceil(width));
    for (const one of this.received()) {
      const first = Math.max(0, Math.floor(xOf(one.time_s - one.half_s, view, width)));
      const last = Math.min(columns.length, Math.ceil(xOf(one.time_s + one.half_s, view, width)));
      for (let x = first; x < last; x++) {
        columns[x]! += one.value;
        counts[x]! += 1;
      }
    }
    const most = columns.reduce((top, sum, x) => Math.max(top, counts[x] ? sum / counts[x]! : 0), 2);
    const y = (value: number) => CURVE * (1 - value / most);
    c.fillStyle = colours.page;
    c.fillRect(0, 0, width, CURVE);
    c.fillStyle = colours.heat;
    columns.forEach((sum, x) => {
      if (!counts[x]) return;
      const top = y(sum / counts[x]!);
      c.fillRect(x, Math.min(top, y(1)), 1, Math.max(1, Math.abs(top - y(1))));
    });
    c.strokeStyle = colours.muted;
    c.setLineDash([4, 4]);
    c.beginPath();
    c.moveTo(0, Math.round(y(1)) + 0.5);
    c.lineTo(width, Math.round(y(1)) + 0.5);
    c.stroke();
    c.setLineDash([]);

    const top = CURVE + GAP;
    c.fillStyle = colours.page;
    c.fillRect(0, top, width, CELLS);
    const found = this.at(playhead_s);
    if (!found) return;
    const { window, map, row } = found;
    const half = halfStep(map.key_s);
    c.fillStyle = colours.heat;
    map.key_s.forEach((time, k) => {
      c.globalAlpha = Math.min(1, (map.weights[row]![k]! * map.key_s.length) / MOST);
      const [x0, x1] = [xOf(time - half, view, width), xOf(time + half, view, width)];
      c.fillRect(x0, top, Math.max(1, x1 - x0), CELLS);
    });
    c.globalAlpha = 1;
    c.strokeStyle = colours.edge;
    const [x0, x1] = [xOf(window.start_s, view, width), xOf(window.end_s, view, width)];
    c.strokeRect(x0 + 0.5, top + 0.5, x1 - x0 - 1, CELLS - 1);
  }
}
