// The camera view: what the live socket recognises, about every half second.
import * as api from "./api";
import { Capture } from "./capture";
import { fill, h } from "./dom";
import { certainty, doubtText, percent } from "./format";
import { CanvasLane, xOf } from "./lane";
import { streamsOf } from "./lanes/coverage";
import { Ruler } from "./lanes/ruler";
import { ScoresLane } from "./lanes/scores";
import { cameraNotice } from "./notice";
import { colours, ordered } from "./palette";
import type { Session, View } from "./session";
import { dot } from "./side";
import { speaksIn } from "./speech";
import { LiveSocket, type Created, type Result } from "./socket";
import { palette } from "./theme";
import type { Row, Turn } from "./types";

const SHOWN_S = 30;
const MOST_LANES = 4;
const SPEAKS_TEXT: Record<string, string> = { true: "speaks", false: "does not speak", null: "undecided whether it speaks" };

class LevelLane extends CanvasLane {
  readonly levels: { time_s: number; peak: number }[] = [];

  constructor() {
    super("Audio", 40, false);
  }

  paint(c: CanvasRenderingContext2D, width: number, height: number, view: View): void {
    c.fillStyle = palette().wave;
    for (const { time_s, peak } of this.levels) {
      const x = xOf(time_s, view, width);
      const half = Math.max(0.5, Math.sqrt(peak) * (height / 2 - 1));
      if (x >= 0 && x <= width) c.fillRect(x, height / 2 - half, 1.5, 2 * half);
    }
  }
}

/** The lane of a person; the strip of speech comes with the second person in view. */
interface Shown {
  lane: ScoresLane;
  rows: Row[];
  turns: Turn[];
  speech: boolean;
}

export class Live {
  private readonly video = h("video", { playsinline: true, muted: true, "aria-label": "camera" });
  private readonly overlay = h("div", { class: "overlay", "aria-hidden": "true" });
  private readonly stage = h("div", { class: "stage" }, this.video, this.overlay);
  private readonly start = h("button", { type: "button", class: "primary", onclick: () => void this.toggle() }, "Start the camera");
  private readonly state = h("p", { class: "note", role: "status" });
  private readonly figures = h("p", { class: "note" });
  private readonly problem = h("p", { class: "error", hidden: true, role: "alert" });
  private readonly result = h("div", { class: "live-people" });
  private readonly level = new LevelLane();
  private readonly ruler = new Ruler();
  private readonly rows = h("div", { class: "lanes" }, this.ruler.element, this.level.element);
  private readonly saves = h(
    "div",
    { class: "save", hidden: true, role: "group", "aria-label": "save as" },
    h("span", { class: "caption" }, "Save as"),
    h("button", { type: "button", onclick: () => this.saveCsv() }, "CSV"),
    h("button", { type: "button", onclick: () => this.saveJson() }, "JSON"),
  );
  readonly element = h(
    "div",
    { class: "live" },
    cameraNotice(),
    h(
      "div",
      { class: "upper" },
      h("div", { class: "player" }, this.stage, h("div", { class: "controls" }, this.start, this.state)),
      h("section", { class: "side", "aria-label": "result" }, h("h2", {}, "Now"), this.problem, this.result, this.figures),
    ),
    h("section", { class: "card", "aria-label": "timeline" }, h("div", { class: "lanes-body" }, this.rows), this.saves),
  );
  private capture: Capture | null = null;
  private socket: LiveSocket | null = null;
  private labels: string[] = [];
  private zero_us: number | null = null;
  private size = { width: 640, height: 480 };
  private results: Result[] = [];
  private readonly lanes = new Map<string, Shown>();
  private sent: number[] = [];
  private drawing = 0;

  constructor(private readonly session: Session) {
    new ResizeObserver(() => this.place()).observe(this.stage);
  }

  private async toggle(): Promise<void> {
    if (this.capture) this.stop();
    else await this.begin();
  }

  private async begin(): Promise<void> {
    this.reset();
    this.start.disabled = true;
    this.state.textContent = "opening camera and microphone";
    try {
      this.capture = await Capture.open(this.video, {
        picture: (time_us, jpeg, width, height) => {
          this.zero_us ??= time_us;
          this.size = { width, height };
          this.sent.push(performance.now());
          this.socket?.picture(time_us, jpeg);
        },
        audio: (time_us, samples) => {
          this.zero_us ??= time_us;
          let peak = 0;
          for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
          this.level.levels.push({ time_s: this.seconds(time_us), peak: peak / 32768 });
          this.socket?.audio(time_us, samples);
        },
        ended: () => this.fail("Camera or microphone was taken away. Connect it, and start again."),
      });
    } catch (error) {
      this.fail((error as Error).message);
      return;
    } finally {
      this.start.disabled = false;
    }
    this.state.textContent = "connecting";
    this.start.textContent = "Stop";
    const model = this.session.models.find((one) => one.default)?.name;
    this.socket = new LiveSocket({ person: "all", ...(model && { model }) }, {
      created: (message) => this.created(message),
      result: (message) => this.newResult(message),
      error: (message) => message.fatal && this.fail(`${message.action}: ${message.problem}; ${message.fix}`),
      lost: () => (this.state.textContent = "connection lost, connecting again"),
      closed: (reason) => this.closed(reason),
    });
    this.place();
    this.drawing = requestAnimationFrame(() => this.draw());
  }

  private reset(): void {
    for (const { lane } of this.lanes.values()) lane.element.remove();
    this.lanes.clear();
    this.results = [];
    this.level.levels.length = 0;
    this.zero_us = null;
    this.problem.hidden = true;
    this.saves.hidden = true;
    fill(this.result);
    this.overlay.replaceChildren();
  }

  /** Ends the recording; the last results still arrive. */
  stop(): void {
    if (!this.capture) return;
    this.capture.close();
    this.capture = null;
    this.socket?.finalize();
    this.start.textContent = "Start the camera";
    this.state.textContent = "";
    this.overlay.replaceChildren();
  }

  private fail(text: string): void {
    this.stop();
    this.state.textContent = "";
    this.problem.textContent = text;
    this.problem.hidden = false;
  }

  private created(message: Created): void {
    this.labels = message.labels;
    const { hasVideo, hasAudio } = this.capture ?? {};
    const input = hasVideo && hasAudio ? "face and voice" : hasVideo ? "face only: no microphone" : "voice only: no camera";
    this.state.textContent = `emotion recognition is on, ${input}`;
  }

  private closed(reason: string | null): void {
    this.socket = null;
    cancelAnimationFrame(this.drawing);
    this.saves.hidden = !this.results.length;
    if (this.capture) this.fail(reason === null ? "The server does not answer any more. Start again." : `The server ended the session (${reason}). Start again.`);
  }

  private seconds(time_us: number): number {
    return (time_us - (this.zero_us ?? time_us)) / 1e6;
  }

  private newResult(result: Result): void {
    this.results.push(result);
    const time = this.seconds(result.end_us);
    const several = result.people.length > 1;
    if (this.capture) this.capture.dense = several;
    for (const person of result.people) this.addRow(person, time, several);
    this.element.dataset.results = String(this.results.length);
    this.showPeople(result.people);
    this.showBoxes(result.people);
    const second = performance.now() - 1000;
    this.sent = this.sent.filter((at) => at > second);
    const { stale = 0 } = result.counts;
    const dropped = stale + (this.socket?.left_out ?? 0);
    this.figures.textContent = `${this.sent.length} pictures a second, ${dropped} dropped, answer after ${Math.round(result.delay_ms)} ms`;
  }

  private addRow(person: Row, time: number, several: boolean): void {
    const name = person.person === null ? "Voice" : `Person ${person.person}`;
    let found = this.lanes.get(name);
    if (!found) {
      if (this.lanes.size >= MOST_LANES) this.dropLane();
      found = { lane: new ScoresLane(name, 80, several), rows: [], turns: [], speech: several };
      this.lanes.set(name, found);
      this.rows.append(found.lane.element);
    }
    if (several && !found.speech) {
      const lane = new ScoresLane(name, 80, true);
      found.lane.element.replaceWith(lane.element);
      Object.assign(found, { lane, speech: true });
    }
    const before = found.rows.at(-1)?.end_s ?? -Infinity;
    const start_s = time - before < 1.6 ? before : time - 0.5;
    if (time <= start_s) return;
    found.rows.push({ ...person, start_s, end_s: time });
    found.rows = found.rows.filter((row) => row.end_s > time - 2 * SHOWN_S);
    const speaks = person.person === null ? true : speaksIn(person);
    if (several && speaks !== false) found.turns.push({ start_s, end_s: time, person: person.person, visible: person.person === null ? false : speaks });
    found.turns = found.turns.filter((turn) => turn.end_s > time - 2 * SHOWN_S);
    found.lane.set(found.rows, this.labels, found.turns);
  }

  /** Makes room for another person: the one who was seen last is the oldest. */
  private dropLane(): void {
    const last = (rows: Row[]) => rows.at(-1)?.end_s ?? 0;
    const [oldest] = [...this.lanes].sort((a, b) => last(a[1].rows) - last(b[1].rows));
    oldest?.[1].lane.element.remove();
    if (oldest) this.lanes.delete(oldest[0]);
  }

  private showPeople(people: Row[]): void {
    fill(
      this.result,
      ...people.slice(0, MOST_LANES).map((person, i) => {
        const name = person.person === null ? "Voice" : `Person ${person.person}`;
        if (person.top === null) return h("p", { class: "note" }, "neither a face nor a voice");
        const score = person.scores[person.top]!;
        const several = people.length > 1;
        const doubt = certainty({ sure: person.sure ?? null, streams: streamsOf(person) ?? "", doubts: person.doubts ?? [] });
        return h(
          "div",
          { class: "live-person" },
          h("h3", {}, person.person === null ? `Voice ${several ? "of somebody off screen" : "alone"}` : `${name}, ${person.modalities.join(" and ")}${several ? `, ${SPEAKS_TEXT[String(speaksIn(person))]}` : ""}`),
          h("p", { class: "answer" }, dot(person.top, this.labels), h("b", {}, person.top), ` ${percent(score)}`,
            h("span", { class: doubt ? "state" : "state good", title: doubtText(person) || null }, doubt || "above threshold")),
          i === 0 ? this.barsOf(person) : null,
        );
      }),
    );
  }

  private barsOf(person: Row): HTMLElement {
    const colour = colours(this.labels);
    return h(
      "ul",
      { class: "bars" },
      ...ordered(this.labels).map((label) => {
        const bar = h("i");
        bar.style.background = colour[label]!;
        bar.style.width = `${100 * (person.scores[label] ?? 0)}%`;
        return h("li", { class: label === person.top && "top" }, h("span", {}, label), h("div", {}, bar), h("span", {}, percent(person.scores[label] ?? 0)));
      }),
    );
  }

  private showBoxes(people: Row[]): void {
    if (!this.capture) return;
    fill(
      this.overlay,
      ...people.map((person) => {
        const box = person.last_box ?? person.box;
        if (!box) return null;
        const speaks = people.length > 1 && speaksIn(person) === true;
        const text = `person ${person.person}${speaks ? " speaks" : ""}${person.top ? `: ${person.top}` : ""}`;
        const face = h("div", { class: speaks ? "face speaks" : "face" }, h("span", {}, text));
        const [x0, y0, x1, y1] = box;
        const { width, height } = this.size;
        face.style.left = `${(100 * x0) / width}%`;
        face.style.top = `${(100 * y0) / height}%`;
        face.style.width = `${(100 * (x1 - x0)) / width}%`;
        face.style.height = `${(100 * (y1 - y0)) / height}%`;
        return face;
      }),
    );
  }

  private place(): void {
    const { width, height } = this.size;
    const { clientWidth, clientHeight } = this.stage;
    const scale = Math.min(clientWidth / width, clientHeight / height);
    Object.assign(this.overlay.style, {
      width: `${width * scale}px`,
      height: `${height * scale}px`,
      left: `${(clientWidth - width * scale) / 2}px`,
      top: `${(clientHeight - height * scale) / 2}px`,
    });
  }

  private draw(): void {
    if (!this.socket) return;
    const now = this.zero_us === null ? 0 : performance.now() / 1000 - this.zero_us / 1e6;
    const end = Math.max(now, SHOWN_S);
    const view = { start_s: end - SHOWN_S, end_s: end };
    const { levels } = this.level;
    while (levels.length && levels[0]!.time_s < view.start_s) levels.shift();
    if (!this.element.hidden) {
      this.ruler.draw(view, now);
      this.level.draw(view, now);
      for (const { lane } of this.lanes.values()) lane.draw(view, now);
    }
    this.drawing = requestAnimationFrame(() => this.draw());
  }

  private saveJson(): void {
    api.save(new Blob([JSON.stringify(this.results)], { type: "application/json" }), "avtca-live.json");
  }

  /** A row for each result and person, with the columns of the timeline of a recording. */
  private saveCsv(): void {
    const labels = this.labels;
    const head = ["start_s", "end_s", "person", "top", "modalities", "face", "voice", ...labels, "speaking"];
    const lines = this.results.flatMap((result) =>
      result.people.map((person) => [
        this.seconds(result.start_us).toFixed(3),
        this.seconds(result.end_us).toFixed(3),
        person.person ?? "",
        person.top ?? "",
        person.modalities.join("+"),
        person.face,
        person.voice,
        ...labels.map((label) => person.scores[label] ?? ""),
        person.speaking ?? "",
      ]),
    );
    const text = [head, ...lines].map((line) => line.join(",")).join("\n") + "\n";
    api.save(new Blob([text], { type: "text/csv" }), "avtca-live.csv");
  }
}
