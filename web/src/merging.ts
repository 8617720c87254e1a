// Persons who are one, merged by hand: the recording is recognised again with the pairs.
import * as api from "./api";
import { problemText } from "./api";
import { fill, h } from "./dom";
import { stateOf } from "./files";
import { clock } from "./format";
import type { OpenFile, Session } from "./session";
import type { Track } from "./types";

export interface Recogniser {
  start: (open: OpenFile) => void;
  /** Ends what goes on with a recording, and deletes its job. */
  drop: (open: OpenFile) => void;
}

/** First timestamp at which two persons are in view; null where they never are together. */
export function together(track: Track, first: number, second: number): number | null {
  const times = (person: number) => track.faces.find((face) => face.person === person)?.time_s ?? [];
  const seen = new Set(times(first));
  return times(second).find((time) => seen.has(time)) ?? null;
}

const sentence = (pair: string) => `Person ${pair.split("=")[0]} is person ${pair.split("=")[1]}`;

export class Merging {
  private readonly first = h("select", { "aria-label": "person who is" });
  private readonly second = h("select", { "aria-label": "the same as person" });
  private readonly button = h("button", { type: "button", onclick: () => this.merge() }, "Read again as one");
  private readonly choice = h("p", { class: "choice" }, this.first, " is ", this.second, " ", this.button);
  private readonly pairs = h("ul", { class: "pairs" });
  private readonly note = h("p", { class: "note" });
  private readonly problem = h("p", { class: "error", role: "alert", hidden: true });
  private readonly progress = h("progress", { max: 1, hidden: true, "aria-label": "progress of reading again" });
  private readonly stop = h("button", { type: "button", class: "quiet", hidden: true, onclick: () => this.cancel() }, "Cancel");
  readonly element = h(
    "details",
    { class: "merging machine", hidden: true },
    h("summary", {}, "One person with two numbers?"),
    this.pairs,
    this.choice,
    this.note,
    this.progress,
    this.stop,
    this.problem,
  );
  private people = "";

  constructor(
    private readonly session: Session,
    private readonly recogniser: Recogniser,
    private readonly say: (text: string) => void,
  ) {
    session.on("current", () => this.draw());
    session.on("file", (changed) => {
      if (changed === session.current) return this.draw();
      const open = session.files.find((one) => one.again === changed);
      if (open) this.news(open, changed);
    });
  }

  private draw(): void {
    const open = this.session.current;
    const numbers = (open?.track?.faces ?? []).map((face) => face.person);
    const pairs = open?.job?.merge ?? [];
    this.element.hidden = !open?.report || (numbers.length < 2 && !pairs.length);
    if (!open || this.element.hidden) return;
    const people = `${open.key}: ${numbers.join()}`;
    if (people !== this.people) {
      this.people = people;
      this.problem.hidden = true;
      const options = () => numbers.map((one) => h("option", { value: one }, `person ${one}`));
      fill(this.first, ...options());
      fill(this.second, ...options());
      this.first.selectedIndex = numbers.length - 1;
      this.second.selectedIndex = 0;
    }
    const again = open.again?.problem ? null : open.again;
    this.choice.hidden = numbers.length < 2;
    const locked = again !== null || !open.file;
    this.button.disabled = locked;
    this.drawPairs(open, pairs, locked);
    const state = again && stateOf(again, false);
    this.note.textContent = state
      ? `Reading again: ${state.text}`
      : open.file
        ? "For a person who got a new number after a cut. The recording is sent and read again, which gives the results of both as one person."
        : `Choose ${open.name} again to change this: it is sent and read again.`;
    this.progress.hidden = this.stop.hidden = !state;
    this.progress.value = state?.share ?? 0;
    if (open.again?.problem) this.fail(problemText(open.again.problem));
  }

  private drawPairs(open: OpenFile, pairs: string[], locked: boolean): void {
    const key = `${open.key} ${pairs.join()} ${locked}`;
    if (this.pairs.dataset.key === key) return;
    this.pairs.dataset.key = key;
    fill(
      this.pairs,
      ...pairs.map((pair) =>
        h("li", {}, `${sentence(pair)} `,
          h("button", { type: "button", class: "quiet", disabled: locked, "aria-label": `undo: ${sentence(pair)}`,
            onclick: () => this.read(open, pairs.filter((one) => one !== pair)) }, "Undo")),
      ),
    );
  }

  private fail(text: string): void {
    this.problem.textContent = text;
    this.problem.hidden = false;
  }

  private merge(): void {
    const open = this.session.current;
    if (!open?.job || !open.track) return;
    const [first, second] = [Number(this.first.value), Number(this.second.value)];
    if (first === second) return this.fail("These are the same number; choose two persons.");
    const time = together(open.track, first, second);
    if (time !== null) return this.fail(`Persons ${first} and ${second} are both in view at ${clock(time)}: they are two people.`);
    this.read(open, [...open.job.merge, `${first}=${second}`]);
  }

  /** Recognises a recording again, with the model and for the persons of the first time. */
  private read(open: OpenFile, merge: string[]): void {
    const { model, person } = open.job!;
    this.problem.hidden = true;
    open.again = this.session.make(open.file, open.name, null, { model, person, merge });
    this.recogniser.start(open.again);
    this.session.changed(open);
  }

  private cancel(): void {
    const open = this.session.current;
    if (!open?.again) return;
    this.recogniser.drop(open.again);
    open.again = null;
    this.session.changed(open);
  }

  private news(open: OpenFile, again: OpenFile): void {
    if (again.report) {
      const old = open.job!;
      const { job, report, track, attention } = again;
      Object.assign(open, { job, report, track, attention, again: null });
      api.remove(old.id).catch(() => undefined);
      const { current, person } = this.session;
      const gone = person !== null && !report!.people?.some((one) => one.person === person);
      if (open === current && gone) this.session.setPerson(null);
      this.say(`${open.name}: ${job!.merge.length ? job!.merge.map(sentence).join(", ") : "persons are as they were found"}`);
    }
    this.session.changed(open);
  }
}
