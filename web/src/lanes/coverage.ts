// How much of each window showed the face and had a voice, and the confidence against its threshold:
// of the chosen person, else of the main face.
import { h } from "../dom";
import { CanvasLane } from "../lane";
import { mainRows, meanOver, visible, type Series } from "../series";
import type { Session, View } from "../session";
import type { Report, Row } from "../types";
import { palette } from "../theme";
import { drawGaps, hatch, stepLine, stepPath } from "./draw";

const GAP = 4;

abstract class ReportLane extends CanvasLane {
  private cache: { report: Report; person: number | null; series: Series } | null = null;

  constructor(
    protected readonly session: Session,
    name: string,
    height: number,
    ...head: HTMLElement[]
  ) {
    super(name, height, true, ...head);
  }

  protected abstract compute(report: Report, rows: Row[]): Series;

  protected series(): Series | null {
    const report = this.session.current?.report;
    const { person } = this.session;
    if (!report) return null;
    if (this.cache?.report !== report || this.cache.person !== person) {
      const rows = person === null ? mainRows(report.timeline) : report.timeline.filter((row) => row.person === person);
      this.cache = { report, person, series: this.compute(report, rows) };
    }
    return this.cache.series;
  }
}

export class CoverageLane extends ReportLane {
  override readonly rowNames: [string, number][] = [["face", 8], ["voice", 28]];

  constructor(session: Session) {
    super(session, "Coverage", 36, h("span", { class: "rows" }, h("i", {}, "face"), h("i", {}, "voice")));
  }

  protected compute(_report: Report, rows: Row[]): Series {
    return meanOver(rows, 2, (row) => [row.face, row.voice]);
  }

  paint(c: CanvasRenderingContext2D, width: number, height: number, view: View): void {
    const colours = palette();
    const high = (height - GAP) / 2;
    const series = this.series();
    const bars = series ? visible(series, view, width) : [];
    for (const [column, top] of [[0, 0], [1, high + GAP]] as const) {
      c.fillStyle = colours.page;
      c.fillRect(0, top, width, high);
      stepPath(c, bars, () => top + high, (bar) => top + high * (1 - bar.values[column]!));
      c.fillStyle = colours.quiet;
      c.fill();
      c.strokeStyle = colours.line;
      c.lineWidth = 1;
      c.strokeRect(0.5, top + 0.5, width - 1, high - 1);
    }
  }
}

/** The modalities of a window, as `streams` of a report. */
export const streamsOf = (row: Row) => (row.modalities.length === 2 ? "both" : row.modalities[0]);

/** The threshold for the modalities of a window; NaN where there is none. */
export function thresholdOf(row: Row, thresholds: Record<string, number>): number {
  const streams = streamsOf(row);
  return streams ? (thresholds[streams] ?? NaN) : NaN;
}

export class ConfidenceLane extends ReportLane {
  constructor(session: Session) {
    super(session, "Confidence", 54, h("small", {}, "dashed: threshold"), h("small", {}, "hatched: below it"));
  }

  protected compute(report: Report, rows: Row[]): Series {
    return meanOver(rows, 2, (row) => {
      if (row.top === null) return null;
      return [row.scores[row.top]!, thresholdOf(row, report.thresholds)];
    });
  }

  paint(c: CanvasRenderingContext2D, width: number, height: number, view: View): void {
    const colours = palette();
    const series = this.series();
    const bars = series ? visible(series, view, width) : [];
    const y = (share: number) => 1 + (height - 2) * (1 - share);
    drawGaps(c, bars, height);
    const reaches = (bar: { values: Float32Array }) => bar.values[0]! >= bar.values[1]!;
    const only = (wanted: boolean) =>
      bars.map((bar) => (reaches(bar) === wanted ? bar : { ...bar, values: Float32Array.of(NaN, NaN) }));
    stepPath(c, only(false), () => y(0), (bar) => y(bar.values[0]!));
    c.fillStyle = hatch(colours.quiet, 5);
    c.fill();
    stepPath(c, only(true), () => y(0), (bar) => y(bar.values[0]!));
    c.fillStyle = colours.good;
    c.fill();
    c.lineWidth = 1.5;
    c.strokeStyle = colours.text;
    stepLine(c, bars, (bar) => y(bar.values[0]!));
    c.stroke();
    const known = bars.map((bar) => ({ ...bar, values: Float32Array.of(bar.values[1]!) }));
    stepLine(c, known, (bar) => y(bar.values[0]!));
    c.lineWidth = 3.5;
    c.strokeStyle = colours.card;
    c.stroke();
    c.lineWidth = 1.5;
    c.setLineDash([5, 4]);
    c.strokeStyle = colours.accent;
    c.stroke();
    c.setLineDash([]);
    c.strokeStyle = colours.line;
    c.lineWidth = 1;
    c.strokeRect(0.5, 0.5, width - 1, height - 1);
  }
}
