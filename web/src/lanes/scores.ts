// All scores of one person over time, stacked or as lines, and which modality carried each window.
import { h } from "../dom";
import { CanvasLane, xOf } from "../lane";
import { colours as labelColours, ordered, textOn } from "../palette";
import { lastBefore, meanOver, scoresOver, valuesAt, visible, type Bar, type Series } from "../series";
import type { View } from "../session";
import { spoken } from "../speech";
import type { Row, Turn } from "../types";
import { palette } from "../theme";
import { drawGaps, hatch, stepLine, stepPath } from "./draw";

export type Style = "stacked" | "lines";

const STRIP = 5;
/** Of a strip and the gap above it. */
const STEP = STRIP + 4;
const STRIP_NAMES = ["face", "voice", "speaks"];
const MIN_HEIGHT = 0.14;
const MIN_WIDTH = 0.1;

export class ScoresLane extends CanvasLane {
  private series: Series = { edges: new Float64Array(), values: new Float32Array(), columns: 0 };
  private used: Series = this.series;
  private labels: string[] = [];
  private turns: Turn[] = [];
  private starts: number[] = [];
  private readonly strips: string[];
  style: Style = "stacked";

  /**
   * @param speech Whether a strip shows where the person speaks.
   */
  constructor(name: string, height: number, speech: boolean, ...head: HTMLElement[]) {
    const strips = STRIP_NAMES.slice(0, speech ? 3 : 2);
    const names = h("span", { class: "rows strips" }, ...strips.map((one) => h("i", {}, one)));
    names.style.height = `${strips.length * 10}px`;
    super(name, height + strips.length * STEP, true, ...head, names);
    this.strips = strips;
    this.element.classList.add("scores");
    strips.forEach((one, i) => this.rowNames.push([one, height + 5 + i * 10]));
  }

  /** Sets the windows of the person, and the turns of all. */
  set(rows: Row[], labels: string[], turns: Turn[]): void {
    this.turns = this.strips.length > 2 ? spoken(rows, turns) : [];
    this.starts = this.turns.map((turn) => turn.start_s);
    this.labels = ordered(labels);
    this.series = scoresOver(rows, this.labels);
    const uses = (row: Row, name: string) => (row.modalities.includes(name) ? 1 : 0);
    this.used = meanOver(rows, 2, (row) => [uses(row, "face"), uses(row, "voice")]);
  }

  /** Labels and scores at a moment, in the order of the figure. */
  at(time_s: number): [string, number][] | null {
    const values = valuesAt(this.series, time_s);
    return values && this.labels.map((label, i) => [label, values[i]!]);
  }

  paint(c: CanvasRenderingContext2D, width: number, height: number, view: View): void {
    const bars = visible(this.series, view, width);
    const high = height - this.strips.length * STEP;
    drawGaps(c, bars, high);
    if (this.style === "stacked") this.stacked(c, bars, width, high);
    else this.lines(c, bars, high);
    c.strokeStyle = palette().edge;
    c.lineWidth = 1;
    c.strokeRect(0.5, 0.5, width - 1, high - 1);
    this.modalities(c, visible(this.used, view, width), width, high + 4);
    if (this.strips.length > 2) this.speech(c, view, width, high + 4 + 2 * STEP);
  }

  private stacked(c: CanvasRenderingContext2D, bars: Bar[], width: number, height: number): void {
    const colours = labelColours(this.labels);
    const n = this.labels.length;
    // Edges of the bands from the top down: band j lies between edge j and edge j + 1.
    const edges = bars.map((bar) => {
      const all = new Float32Array(n + 1);
      let sum = 0;
      for (let j = 0; j < n; j++) sum += bar.values[j]!;
      all[0] = 0;
      for (let j = 0; j < n; j++) all[j + 1] = all[j]! + bar.values[j]! / (sum || 1);
      return { ...bar, values: all };
    });
    c.lineWidth = 1;
    c.strokeStyle = palette().card;
    this.labels.forEach((label, j) => {
      stepPath(c, withNan(edges, bars), (bar) => height * bar.values[j + 1]!, (bar) => height * bar.values[j]!);
      c.fillStyle = colours[label]!;
      c.fill();
      c.stroke();
    });
    c.font = `600 12px ${palette().font}`;
    c.textAlign = "center";
    c.textBaseline = "middle";
    this.labels.forEach((label, j) => {
      const place = labelPlace(edges, j, width, c.measureText(label).width + 8, 16 / height);
      if (!place) return;
      c.fillStyle = textOn(colours[label]!);
      c.fillText(label, place.x, place.y * height);
    });
  }

  private lines(c: CanvasRenderingContext2D, bars: Bar[], height: number): void {
    const colours = labelColours(this.labels);
    const y = (share: number) => 2 + (height - 4) * (1 - share);
    this.labels.forEach((label, j) => {
      stepLine(c, bars, (bar) => y(bar.values[j]!));
      c.lineJoin = "round";
      c.lineWidth = 4;
      c.strokeStyle = palette().edge;
      c.stroke();
      c.lineWidth = 2.5;
      c.strokeStyle = colours[label]!;
      c.stroke();
    });
  }

  private speech(c: CanvasRenderingContext2D, view: View, width: number, top: number): void {
    const colours = palette();
    c.fillStyle = colours.page;
    c.fillRect(0, top, width, STRIP);
    const striped = hatch(colours.edge, 4);
    for (let i = Math.max(0, lastBefore(this.starts, view.start_s)); i < this.turns.length; i++) {
      const turn = this.turns[i]!;
      if (turn.start_s >= view.end_s) break;
      const x0 = Math.max(0, xOf(turn.start_s, view, width));
      c.fillStyle = turn.visible === null ? striped : colours.text;
      c.fillRect(x0, top, Math.max(0, xOf(turn.end_s, view, width) - x0), STRIP);
    }
  }

  private modalities(c: CanvasRenderingContext2D, bars: Bar[], width: number, top: number): void {
    const colours = palette();
    for (const j of [0, 1]) {
      const y = top + j * STEP;
      c.fillStyle = colours.page;
      c.fillRect(0, y, width, STRIP);
      c.fillStyle = colours.text;
      for (const bar of bars) {
        const share = bar.values[j]!;
        if (share > 0) c.fillRect(bar.x0, y + STRIP * (1 - share), bar.x1 - bar.x0, STRIP * share);
      }
    }
  }
}

function withNan(edges: Bar[], bars: Bar[]): Bar[] {
  edges.forEach((edge, i) => {
    if (Number.isNaN(bars[i]!.values[0])) edge.values[0] = NaN;
  });
  return edges;
}

/** Where a label has the most room in its band; null for nowhere. */
function labelPlace(
  edges: Bar[],
  j: number,
  width: number,
  textWidth: number,
  textHeight: number,
): { x: number; y: number } | null {
  let best = 0;
  let place: { x: number; y: number } | null = null;
  const needed = Math.max(textWidth, MIN_WIDTH * Math.min(width, 600));
  for (let first = 0; first < edges.length; first += 1 + Math.floor(edges.length / 80)) {
    let [top, bottom] = [0, 1];
    for (let last = first; last < edges.length; last++) {
      top = Math.max(top, edges[last]!.values[j]!);
      bottom = Math.min(bottom, edges[last]!.values[j + 1]!);
      if (!(bottom - top >= Math.max(MIN_HEIGHT, textHeight)) || Number.isNaN(edges[last]!.values[0])) break;
      const wide = edges[last]!.x1 - edges[first]!.x0;
      const room = (bottom - top) * Math.min(wide, 0.4 * width);
      if (wide >= needed && room > best) {
        best = room;
        place = { x: (edges[first]!.x0 + edges[last]!.x1) / 2, y: (top + bottom) / 2 };
      }
    }
  }
  return place;
}
