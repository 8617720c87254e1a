// Saving results: the formats of the server, and the timeline as a picture.
import * as api from "./api";
import { ApiError, problemText } from "./api";
import { h } from "./dom";
import { certainty, inputText, length, percent } from "./format";
import { CanvasLane } from "./lane";
import { colours, ordered } from "./palette";
import type { Session } from "./session";
import { palette, withLight } from "./theme";
import type { Timeline } from "./timeline";

const FORMATS: [format: string, suffix: string, shown: string, about: string][] = [
  ["csv", ".csv", "CSV", "a row for each window"],
  ["json", ".json", "JSON", "the whole report"],
  ["eaf", ".eaf", "ELAN", "EAF with a tier for each person"],
  ["textgrid", ".TextGrid", "Praat", "TextGrid"],
  ["vtt", ".vtt", "WebVTT", "subtitles"],
  ["srt", ".srt", "SRT", "subtitles"],
  ["rttm", ".rttm", "RTTM", "segments"],
  ["tsv", ".tsv", "TSV", "segments as a table"],
  ["bids", ".tsv", "BIDS", "events"],
  ["boris", ".boris", "BORIS", "project"],
  ["fex", ".fex.csv", "Fex", "table of py-feat"],
  ["html", ".html", "HTML", "a page to print or to send"],
];
const MAIN = 5;

const stem = (name: string) => name.replace(/\.[^.]*$/, "") || "recording";

export class Save {
  readonly element: HTMLElement;

  constructor(
    private readonly session: Session,
    private readonly timeline: Timeline,
    private readonly say: (text: string) => void,
  ) {
    const buttons = FORMATS.map(([format, suffix, shown, about]) =>
      h("button", { type: "button", title: about, "data-format": format, onclick: () => void this.report(format, suffix) }, shown),
    );
    this.element = h(
      "div",
      { class: "save machine", role: "group", "aria-label": "save as" },
      h("span", { class: "caption" }, "Save as"),
      ...buttons.slice(0, MAIN),
      h("button", { type: "button", title: "the visible part of the timeline", "data-format": "png", onclick: () => this.picture() }, "PNG"),
      h("details", {}, h("summary", {}, "more"), h("div", { class: "more" }, ...buttons.slice(MAIN))),
    );
  }

  private async report(format: string, suffix: string): Promise<void> {
    const open = this.session.current;
    if (!open?.job) return;
    try {
      api.save(await api.reportFile(open.job.id, format), stem(open.name) + suffix);
      this.say(`saved ${stem(open.name)}${suffix}`);
    } catch (error) {
      this.say(error instanceof ApiError ? problemText(error.problem) : String(error));
    }
  }

  /** The visible part of all lanes, with title and legend, always in light colours. */
  private picture(): void {
    const open = this.session.current;
    if (!open?.report) return;
    const canvas = document.createElement("canvas");
    withLight(() => this.draw(canvas));
    this.timeline.redraw();
    canvas.toBlob((blob) => blob && api.save(blob, `${stem(open.name)}.png`), "image/png");
  }

  private draw(canvas: HTMLCanvasElement): void {
    const { current, view, playhead_s, blind } = this.session;
    const report = current!.report!;
    const lanes = this.timeline.lanes.filter(
      (lane): lane is CanvasLane => lane instanceof CanvasLane && !lane.element.hidden && !(lane.machine && blind),
    );
    const [scale, width, head, pad, gap] = [2, 1000, 130, 20, 8];
    const top = 84;
    const height = top + lanes.reduce((sum, lane) => sum + lane.height + gap, 0) + 34;
    canvas.width = (width + head + 2 * pad) * scale;
    canvas.height = height * scale;
    const c = canvas.getContext("2d")!;
    const colour = palette();
    c.scale(scale, scale);
    c.fillStyle = colour.card;
    c.fillRect(0, 0, canvas.width, canvas.height);
    c.fillStyle = colour.text;
    c.font = `600 17px ${colour.font}`;
    c.textBaseline = "middle";
    c.fillText(current!.name, pad, 24);
    c.font = `13px ${colour.font}`;
    c.fillStyle = colour.muted;
    const doubt = certainty(report);
    const verdict = `${report.top} ${percent(report.confidence)}${doubt ? ` (${doubt})` : ""}`;
    c.fillText(`${verdict} · ${length(report.duration_s)} · ${inputText(report.streams)} · ${report.model}`, pad, 46);
    let x = pad + head;
    const labels = ordered(Object.keys(report.scores));
    for (const label of labels) {
      c.fillStyle = colours(labels)[label]!;
      c.fillRect(x, 62, 12, 12);
      c.fillStyle = colour.text;
      c.fillText(label, x + 17, 69);
      x += c.measureText(label).width + 36;
    }
    let y = top;
    for (const lane of lanes) {
      c.save();
      c.font = `600 13px ${colour.font}`;
      c.fillStyle = colour.text;
      c.fillText(lane.name, pad, y + Math.min(lane.height / 2, 14), head - 8);
      c.font = `11px ${colour.font}`;
      c.fillStyle = colour.muted;
      c.textAlign = "right";
      for (const [text, at] of lane.rowNames) c.fillText(text, pad + head - 6, y + at);
      c.textAlign = "left";
      c.translate(pad + head, y);
      c.beginPath();
      c.rect(0, 0, width, lane.height);
      c.clip();
      lane.paint(c, width, lane.height, view, playhead_s);
      c.restore();
      y += lane.height + gap;
    }
    c.font = `12px ${colour.font}`;
    c.fillStyle = colour.muted;
    c.textAlign = "left";
    c.textBaseline = "middle";
    c.fillText("Scores describe which expression the face and the voice resemble, not what a person feels.", pad, y + 14);
  }
}
