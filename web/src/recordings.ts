// The view of recordings: the video with the result beside it, and the lanes below.
import { fill, h } from "./dom";
import type { FileList } from "./files";
import { stateOf } from "./files";
import { certainty, doubtText, percent } from "./format";
import { AttentionLane } from "./lanes/attention";
import { ConfidenceLane, CoverageLane } from "./lanes/coverage";
import { Ruler } from "./lanes/ruler";
import { ScoresLane, type Style } from "./lanes/scores";
import { SpeechLane } from "./lanes/speech";
import { Waveform } from "./lanes/waveform";
import type { Merging } from "./merging";
import { ordered } from "./palette";
import type { Player } from "./player";
import { portraits } from "./portraits";
import { Save } from "./save";
import { best, mainRows, meanOver, scoresOver, speakingOver, valuesAt, type Series } from "./series";
import type { OpenFile, Session } from "./session";
import { personColour, speaksText, turnAt } from "./speech";
import { dot, Side, verdictOf, type Moment } from "./side";
import type { Timeline } from "./timeline";
import { Turns } from "./turns";
import type { Report, Row, Turn } from "./types";

/** People with a lane before "show more". */
const FIRST_PEOPLE = 6;
/** In place of a person: a voice of somebody who is not in view. */
const OFF_SCREEN = "off screen";
type Shown = number | typeof OFF_SCREEN | null;

/** Means over time of the scores, of the shares with face and voice, and of the share of speech. */
interface Known {
  scores: Series;
  cover: Series;
  speaking: Series;
}

export class Recordings {
  private readonly name = h("h2", { class: "file-title" });
  private readonly state = h("p", { class: "note" });
  private readonly progress = h("progress", { max: 1, hidden: true, "aria-label": "progress" });
  private readonly legend = h("div", { class: "legend machine" });
  private readonly more = h("button", { type: "button", class: "quiet machine", hidden: true });
  private readonly empty: HTMLElement;
  private readonly work: HTMLElement;
  readonly panels = h("div", { class: "panels" });
  readonly element: HTMLElement;
  private lanes: ScoresLane[] = [];
  private style: Style = "stacked";
  private shown: { report: Report | null; all: boolean } = { report: null, all: false };
  private readonly attention: AttentionLane;
  private machineOf: Report | null = null;
  private readonly machine = new Map<number | null, Known>();

  constructor(
    private readonly session: Session,
    player: Player,
    private readonly timeline: Timeline,
    files: FileList,
    merging: Merging,
    say: (text: string) => void,
    camera: () => void,
  ) {
    this.attention = new AttentionLane(session);
    const side = new Side(session, (person, time) => this.moment(person, time));
    const save = new Save(session, timeline, say);
    const turns = new Turns(session, player);
    const tool = (label: string, text: string, run: () => void) =>
      h("button", { type: "button", "aria-label": label, title: label, onclick: run }, text);
    const choice = (value: Style, text: string) => {
      const input = h("input", { type: "radio", name: "style", value, checked: value === this.style });
      input.addEventListener("change", () => this.setStyle(value));
      return h("label", {}, input, text);
    };
    const tools = h(
      "div",
      { class: "tools" },
      this.legend,
      h("span", { class: "grow" }),
      h("span", { class: "segments machine", role: "radiogroup", "aria-label": "scores as" }, choice("stacked", "stacked"), choice("lines", "lines")),
      h("span", { class: "zoom" },
        tool("zoom in", "+", () => timeline.zoom(0.5)),
        tool("zoom out", "−", () => timeline.zoom(2)),
        tool("whole recording", "⤢", () => session.setView(0, Infinity))),
    );
    this.work = h(
      "div",
      { class: "work" },
      h("div", { class: "head" }, this.name, this.state, this.progress),
      h("div", { class: "upper" }, player.element, side.element),
      h("section", { class: "card", "aria-label": "timeline" }, tools, timeline.element, this.more, merging.element, turns.element, save.element),
      this.panels,
    );
    this.empty = h(
      "div",
      { class: "empty" },
      h("h2", {}, "See which emotions are expressed, when, and by whom"),
      h("p", {}, "Drop videos or audio files here. Face and voice are read together, and every score comes with how far it can be relied on."),
      h("p", {}, h("button", { type: "button", class: "primary", onclick: () => files.open() }, "Choose recordings"),
        " ", h("button", { type: "button", onclick: camera }, "Use the camera")),
      h("p", { class: "note" }, "A file is sent to this server once, is read and is deleted. It is played from your disk, and nothing goes anywhere else."),
    );
    this.element = h("div", { class: "recordings" }, files.element, h("div", { class: "content" }, this.empty, this.work));
    timeline.add(new Ruler());
    timeline.add(new Waveform(session));
    timeline.add(new SpeechLane(session));
    timeline.add(new CoverageLane(session));
    timeline.add(new ConfidenceLane(session));
    timeline.add(this.attention);
    this.more.addEventListener("click", () => {
      this.shown.all = true;
      this.rebuild();
    });
    player.overlay.labelOf = (person, time) => this.labelAt(person, time);
    player.overlay.speaks = (person, time) => this.turnAt(time)?.person === person;
    timeline.describe = (time) => {
      const said = session.blind ? [] : [this.labelAt(session.person, time), speaksText(this.turnAt(time))];
      return [`${time.toFixed(2)} seconds`, ...said.filter(Boolean)].join(", ");
    };
    session.on("current", () => this.draw());
    session.on("file", (open) => open === session.current && this.draw());
    session.on("blind", (blind) => {
      document.body.classList.toggle("blind", blind);
      this.draw();
    });
    session.on("person", () => this.mark());
    this.draw();
  }

  /** Starts of the windows of the main face, for the keys. */
  get windowStarts(): number[] {
    return mainRows(this.session.current?.report?.timeline ?? []).map((row) => row.start_s);
  }

  private draw(): void {
    const open = this.session.current;
    this.empty.hidden = open !== null;
    this.work.hidden = open === null;
    if (!open) return;
    const { text, share } = stateOf(open, this.session.blind);
    this.name.textContent = open.name;
    this.state.className = open.problem ? "error" : "note";
    this.state.hidden = open.report !== null && !open.problem;
    this.state.textContent = text;
    this.progress.hidden = share === null || open.report !== null;
    this.progress.value = share ?? 0;
    this.work.classList.toggle("pending", !open.report);
    if (this.shown.report !== open.report) {
      this.shown = { report: open.report, all: false };
      this.rebuild();
    }
    this.attention.element.hidden = !open.attention?.length;
  }

  private people(report: Report): (number | null)[] {
    const all = [...(report.people ?? [])].sort((a, b) => b.seen_s - a.seen_s).map((one) => one.person);
    if (all.length < 2) return [all[0] ?? null];
    return this.shown.all ? all : all.slice(0, FIRST_PEOPLE);
  }

  private rows(report: Report, person: Shown): Row[] {
    if (person === null) return mainRows(report.timeline);
    if (person !== OFF_SCREEN) return report.timeline.filter((row) => row.person === person);
    // Without a lane for each person, windows without a face are in that of the main face.
    const main = new Set((report.people ?? []).length ? [] : mainRows(report.timeline));
    return report.timeline.filter((row) => row.person === null && row.top !== null && !main.has(row));
  }

  private get turns(): Turn[] {
    return this.session.current?.report?.speech ?? [];
  }

  private turnAt(time_s: number): Turn | null {
    return turnAt(this.turns, time_s);
  }

  private rebuild(): void {
    for (const lane of this.lanes) this.timeline.remove(lane);
    this.lanes = [];
    const { report } = this.shown;
    fill(this.legend);
    this.more.hidden = true;
    if (!report) return;
    const labels = Object.keys(report.scores);
    fill(this.legend, ...ordered(labels).map((label) => h("span", {}, dot(label, labels), label)));
    const people = this.people(report);
    const total = report.people?.length ?? 0;
    this.more.hidden = people.length >= total || total < 2;
    this.more.textContent = `Show ${total - people.length} more ${total - people.length === 1 ? "person" : "persons"}`;
    const high = people.length === 1 ? 130 : people.length <= 3 ? 96 : 72;
    const open = this.session.current;
    const whole = open?.job?.person === "speaker" ? "Speaker" : "Scores";
    const speech = this.turns.length > 0;
    for (const person of people) {
      const verdict = verdictOf(report, person);
      const doubt = certainty(verdict);
      const lane = new ScoresLane(
        person === null ? whole : `Person ${person}`,
        high,
        speech,
        h("small", {}, dot(verdict.top, labels), `${verdict.top} ${percent(verdict.confidence)}`),
        h("small", { title: doubtText(verdict) || null }, doubt || "above threshold"),
      );
      lane.canvas.setAttribute("aria-label", `${lane.name}: ${verdict.top} ${percent(verdict.confidence)}${doubt ? `, ${doubt}` : ""}`);
      if (person !== null && speech) lane.head.firstElementChild!.prepend(swatch(person));
      this.addLane(lane, person, report);
    }
    if (this.rows(report, OFF_SCREEN).length) {
      const lane = new ScoresLane("Off screen", 72, speech, h("small", {}, "voice of somebody not in view"));
      lane.canvas.setAttribute("aria-label", "Off screen: scores of the voice of somebody not in view");
      this.addLane(lane, OFF_SCREEN, report);
    }
    this.mark();
    if (open) void this.portraits(open, report);
  }

  private addLane(lane: ScoresLane, person: Shown, report: Report): void {
    lane.element.dataset.person = String(person);
    lane.style = this.style;
    lane.set(this.rows(report, person), Object.keys(report.scores), this.turns);
    this.timeline.add(lane, this.attention);
    this.lanes.push(lane);
  }

  private async portraits(open: OpenFile, report: Report): Promise<void> {
    await portraits(open, (person, face) => {
      if (this.shown.report !== report) return;
      const lane = this.lanes.find((one) => one.element.dataset.person === String(person));
      lane?.head.querySelector("canvas")?.remove();
      lane?.head.prepend(face);
    });
  }

  private mark(): void {
    const { person } = this.session;
    for (const lane of this.lanes) {
      lane.element.classList.toggle("chosen", person !== null && lane.element.dataset.person === String(person));
    }
  }

  private setStyle(style: Style): void {
    this.style = style;
    for (const lane of this.lanes) lane.style = style;
    this.timeline.redraw();
  }

  private seriesOf(person: number | null): Known | null {
    const report = this.session.current?.report;
    if (!report) return null;
    if (this.machineOf !== report) this.machine.clear();
    this.machineOf = report;
    let found = this.machine.get(person);
    if (!found) {
      const rows = this.rows(report, person);
      const labels = ordered(Object.keys(report.scores));
      found = { scores: scoresOver(rows, labels), cover: meanOver(rows, 2, (row) => [row.face, row.voice]), speaking: speakingOver(rows) };
      this.machine.set(person, found);
    }
    return found;
  }

  private moment(person: number | null, time_s: number): Moment {
    const series = this.seriesOf(person);
    if (!series) return { scores: null, face: null, voice: null, speaking: null };
    const labels = ordered(Object.keys(this.session.current!.report!.scores));
    const values = valuesAt(series.scores, time_s);
    const cover = valuesAt(series.cover, time_s);
    return {
      scores: values && labels.map((label, i) => [label, values[i]!]),
      face: cover?.[0] ?? null,
      voice: cover?.[1] ?? null,
      speaking: valuesAt(series.speaking, time_s)?.[0] ?? null,
    };
  }

  private labelAt(person: number | null, time_s: number): string | null {
    const { scores } = this.moment(person, time_s);
    const top = scores && best(Object.fromEntries(scores));
    return top && `${top[0]} ${percent(top[1])}`;
  }
}

/** A square in the colour of a person's turns. */
function swatch(person: number): HTMLElement {
  const element = h("span", { class: "dot", "aria-hidden": "true" });
  element.style.background = personColour(person);
  return element;
}
