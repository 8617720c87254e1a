// Beside the video: the result of the whole recording, and the scores at the playhead.
import { fill, h } from "./dom";
import { certainty, clock, doubtText, inputText, length, percent } from "./format";
import { colours, ordered } from "./palette";
import { best } from "./series";
import type { Session } from "./session";
import { speaksText, turnAt } from "./speech";
import type { Report, Verdict } from "./types";

/** People chosen by buttons; more are chosen from a list. */
const MOST_BUTTONS = 6;

export interface Moment {
  scores: [string, number][] | null;
  face: number | null;
  voice: number | null;
  /** Share in which this person speaks; null where it is undecided. */
  speaking: number | null;
}

export function verdictOf(report: Report, person: number | null): Verdict {
  return report.people?.find((one) => one.person === person) ?? report;
}

/** A dot in the colour of a label. */
export function dot(label: string, labels: string[]): HTMLElement {
  const element = h("span", { class: "dot" });
  element.style.background = colours(labels)[label] ?? "none";
  return element;
}

export class Side {
  private readonly verdict = h("div", { class: "verdict" });
  private readonly chips = h("div", { class: "chips", role: "group", "aria-label": "person" });
  private readonly title = h("h3");
  private readonly used = h("p", { class: "note" });
  private readonly speaks = h("p", { class: "note" });
  private readonly bars = h("ul", { class: "bars" });
  readonly element = h(
    "section",
    { class: "side machine", "aria-label": "result" },
    this.verdict,
    h("div", { class: "now" }, this.chips, this.title, this.bars, this.used, this.speaks),
  );

  /**
   * @param momentOf Scores of a person (null: the main face or the audio) at a moment.
   */
  constructor(
    private readonly session: Session,
    private readonly momentOf: (person: number | null, time_s: number) => Moment,
  ) {
    session.on("current", () => this.draw());
    session.on("file", (open) => open === session.current && this.draw());
    session.on("person", () => this.draw());
    session.on("playhead", () => this.drawNow());
  }

  private draw(): void {
    const report = this.session.current?.report ?? null;
    this.element.hidden = !report;
    if (!report) return;
    const labels = Object.keys(report.scores);
    const doubt = certainty(report);
    const { face, voice, read } = report.coverage;
    fill(
      this.verdict,
      h("h2", {}, "Whole recording"),
      h("p", { class: "answer" }, dot(report.top, labels), h("b", {}, report.top), ` ${percent(report.confidence)}`,
        doubt ? h("span", { class: "state", title: doubtText(report) || null }, doubt) : h("span", { class: "state good" }, "above threshold")),
      h("p", { class: "note" }, `${length(report.duration_s)} · ${inputText(report.streams)} · face ${percent(face)}, voice ${percent(voice)}` +
        (read < 0.995 ? ` · ${percent(read)} could be read` : "")),
      ...report.warnings.map((text) => h("p", { class: "warning" }, text)),
    );
    const people = report.people ?? [];
    fill(this.chips, ...this.choices(people.map((one) => one.person)));
    this.drawNow();
  }

  /** Buttons for a few people, a list for more. */
  private choices(people: number[]): HTMLElement[] {
    if (people.length < 2) return [];
    const all = [null, ...people];
    const name = (person: number | null) => (person === null ? "main face" : `person ${person}`);
    if (all.length <= MOST_BUTTONS) {
      return all.map((person) =>
        h(
          "button",
          { type: "button", "aria-pressed": String(person === this.session.person), onclick: () => this.session.setPerson(person) },
          name(person),
        ),
      );
    }
    const list = h("select", {}, ...all.map((one) => h("option", { selected: one === this.session.person }, name(one))));
    list.addEventListener("change", () => this.session.setPerson(all[list.selectedIndex] ?? null));
    return [h("label", {}, "scores of", list)];
  }

  private drawNow(): void {
    const report = this.session.current?.report;
    if (!report) return;
    const { person, playhead_s } = this.session;
    const { scores, face, voice, speaking } = this.momentOf(person, playhead_s);
    this.title.textContent = `At ${clock(playhead_s)}`;
    const labels = ordered(Object.keys(report.scores));
    const values = new Map(scores ?? []);
    const top = best(Object.fromEntries(values))?.[0];
    if (this.bars.children.length !== labels.length || this.bars.dataset.labels !== labels.join()) {
      this.bars.dataset.labels = labels.join();
      const colour = colours(labels);
      fill(
        this.bars,
        ...labels.map((label) => {
          const bar = h("i");
          bar.style.background = colour[label]!;
          return h("li", {}, h("span", {}, label), h("div", {}, bar), h("span"));
        }),
      );
    }
    labels.forEach((label, i) => {
      const item = this.bars.children[i] as HTMLElement;
      const value = values.get(label);
      item.classList.toggle("top", label === top);
      (item.children[1]!.firstElementChild as HTMLElement).style.width = `${100 * (value ?? 0)}%`;
      item.children[2]!.textContent = value === undefined ? "–" : percent(value);
    });
    const parts = [face !== null && `face in ${percent(face)}`, voice !== null && `voice in ${percent(voice)}`];
    if (speaking !== null) parts.push(`speaks in ${percent(speaking)}`);
    const known = parts.filter(Boolean).join(", ");
    this.used.textContent = scores ? `${known} of the windows around this moment` : "neither this face nor a voice at this moment";
    const turn = turnAt(report.speech ?? [], playhead_s);
    this.speaks.hidden = !report.speech?.length;
    this.speaks.textContent = turn ? `Now: ${speaksText(turn)}` : "Now: no voice";
  }
}
