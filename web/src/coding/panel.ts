// The panel of a coding: labels, tools, lanes, files.
import { ApiError, problemText, save } from "../api";
import { fill, h } from "../dom";
import { clock } from "../format";
import type { Page } from "../page";
import { textOn } from "../palette";
import { AgreementView } from "./agreement";
import { exportCoding, importCoding } from "./api";
import type { Coder } from "./coder";
import { toCoding } from "./doc";
import { RangeTable } from "./table";
import { EXCLUDE } from "./ranges";

const FORMATS: [format: string, suffix: string, shown: string, about: string][] = [
  ["eaf", ".eaf", "ELAN", "EAF; avtca evaluate and finetune read it"],
  ["textgrid", ".TextGrid", "Praat", "TextGrid"],
  ["vtt", ".vtt", "WebVTT", "subtitles"],
  ["csv", ".csv", "CSV", "a row for each range; avtca evaluate and finetune read it"],
  ["json", ".json", "JSON", "everything"],
];
const ACCEPT = ".eaf,.TextGrid,.textgrid,.vtt,.srt,.csv,.tsv,.json";
export const isCoding = (name: string) => ACCEPT.split(",").some((suffix) => name.toLowerCase().endsWith(suffix.toLowerCase()));
const stem = (name: string) => name.replace(/\.[^.]*$/, "") || "recording";

export class Panel {
  readonly element = h("div", { class: "coding" });
  private readonly begin: HTMLElement;
  private readonly work: HTMLElement;
  private readonly missing = h("p", { class: "note" }, "Choose the file of this recording again to code it.");
  private readonly blind = h("div", { class: "blind-state" });
  private readonly palette = h("div", { class: "labels", role: "group", "aria-label": "labels" });
  private readonly tools = new Map<string, HTMLButtonElement>();
  private readonly lane = h("select", { onchange: () => this.coder.activate(Number(this.lane.value)) });
  private readonly name = h("input", { type: "text", maxlength: 60, autocomplete: "off" });
  private readonly person = h("input", { type: "text", maxlength: 60, autocomplete: "off" });
  private readonly list = h("textarea", { rows: 8, "aria-label": "labels, one a line" });
  private readonly input = h("input", { type: "file", class: "hidden", tabindex: -1, accept: ACCEPT, "aria-label": "coding" });
  private readonly which = h("select", { "aria-label": "lanes to save" }, h("option", { value: "all" }, "all lanes"), h("option", { value: "one" }, "this lane"));
  private readonly state = h("p", { class: "note", "data-role": "saved" });
  /** For screen readers: what is selected, after every change. */
  private readonly spoken = h("p", { class: "hidden", role: "status", "data-role": "spoken" });
  private readonly starter = h("input", { id: "coder-name", type: "text", maxlength: 60, autocomplete: "off", placeholder: "initials" });
  private drawn = "";

  constructor(
    private readonly page: Page,
    private readonly coder: Coder,
  ) {
    const { starter } = this;
    const start = () => {
      this.coder.start(starter.value);
      page.say("Coding has started. The results of the model are hidden.");
      this.palette.querySelector("button")?.focus();
    };
    starter.addEventListener("keydown", (event) => event.key === "Enter" && start());
    const importButton = () => h("button", { type: "button", onclick: () => this.input.click() }, "Import a coding");
    this.begin = h(
      "div",
      { class: "coding-start" },
      h("p", {}, "Label what you see and hear yourself, in a lane beside the model's. While you code, its results are hidden; where they are shown, your exported file says so."),
      h("p", { class: "row" }, h("label", { for: "coder-name" }, "Coder"), starter, h("button", { type: "button", class: "primary", onclick: start }, "Start coding"), importButton()),
    );
    this.input.addEventListener("change", () => {
      const file = this.input.files?.[0];
      this.input.value = "";
      if (file) void this.import(file);
    });
    const field = (input: HTMLInputElement, change: (value: string) => void, text: string, title: string) => {
      input.addEventListener("change", () => change(input.value.trim()));
      return h("label", { title }, text, input);
    };
    this.list.addEventListener("change", () => this.coder.setLabels(this.list.value.split("\n")));
    const table = new RangeTable(page, coder);
    const agreement = new AgreementView(page, coder);
    this.work = h(
      "div",
      { class: "coding-work" },
      this.blind,
      this.palette,
      this.toolbar(),
      h(
        "div",
        { class: "row" },
        h("label", {}, "Lane", this.lane),
        field(this.name, (coder) => this.coder.describe({ coder, given: "" }), "Coder", "your initials: the name of the lane"),
        field(this.person, (person) => this.coder.describe({ person, given: "" }), "Person coded", "whom the labels describe: the speaker of avtca evaluate and finetune"),
        h("button", { type: "button", onclick: () => this.coder.addLane(this.coder.active?.coder ?? "", "") }, "Add lane"),
        h("button", { type: "button", onclick: () => this.coder.removeLane() }, "Remove lane"),
      ),
      table.element,
      h("details", {}, h("summary", {}, "Labels"), h("p", { class: "note" }, "One a line; the first nine have the keys 1 to 9."), this.list),
      agreement.element,
      h(
        "div",
        { class: "row files-row", role: "group", "aria-label": "save the coding" },
        importButton(),
        h("span", { class: "grow" }),
        h("label", {}, "Save", this.which, "as"),
        ...FORMATS.map(([format, suffix, shown, about]) =>
          h("button", { type: "button", title: about, "data-coding-format": format, onclick: () => void this.export(format, suffix) }, shown),
        ),
      ),
      this.state,
    );
    this.element.append(this.missing, this.begin, this.work, this.input, this.spoken);
    coder.on(() => this.draw());
    page.session.on("models", () => this.draw());
    page.session.on("file", (open) => open === page.session.current && this.draw());
    this.draw();
  }

  private toolbar(): HTMLElement {
    const { coder } = this;
    const all: [id: string, text: string, key: string, run: () => void][] = [
      ["start", "Start", "I", () => coder.markStart()],
      ["end", "End", "O", () => coder.markEnd()],
      ["split", "Split", "S", () => coder.split()],
      ["delete", "Delete", "Del", () => coder.remove()],
      ["undo", "Undo", "U", () => coder.undo()],
      ["redo", "Redo", "⇧U", () => coder.redo()],
    ];
    for (const [id, text, key, run] of all) {
      this.tools.set(id, h("button", { type: "button", "data-tool": id, onclick: run }, text, " ", h("kbd", {}, key)));
    }
    return h("div", { class: "row tools-row", role: "group", "aria-label": "ranges" }, ...this.tools.values());
  }

  private draw(): void {
    const { coder } = this;
    const open = this.page.session.current;
    const { doc, active } = coder;
    const focused = this.work.contains(document.activeElement);
    this.missing.hidden = !open || open.file !== null;
    this.begin.hidden = !doc || doc.lanes.length > 0;
    this.work.hidden = !doc || doc.lanes.length === 0;
    this.speak();
    if (!doc || !active) {
      if (focused && !this.begin.hidden) this.starter.focus();
      return;
    }
    const { begun, range } = coder;
    const can: Record<string, boolean> = {
      end: begun !== null || range !== null,
      delete: begun !== null || range !== null,
      undo: coder.canUndo,
      redo: coder.canRedo,
    };
    const tool = [...this.tools.values()].find((button) => button === document.activeElement);
    for (const [id, button] of this.tools) button.disabled = !(can[id] ?? true);
    if (tool?.disabled) this.tools.get("start")!.focus();
    this.state.className = coder.elsewhere ? "warning" : "note";
    this.state.textContent = coder.elsewhere
      ? "Another tab changed the coding of this recording, so this tab no longer keeps it: save it as a file, or load the page again to go on with the other."
      : coder.saved === false
        ? "This browser stores nothing more: save the coding as a file."
        : coder.saved
          ? `Kept in this browser at ${coder.saved.toLocaleTimeString()}.`
          : "Kept in this browser while you work.";
    this.drawLabels();
    const key = JSON.stringify([coder.names, active.id, active.coder, active.person, doc.labels, this.page.session.blind, doc.shown]);
    if (key === this.drawn) return;
    this.drawn = key;
    fill(this.lane, ...doc.lanes.map((lane, i) => h("option", { value: lane.id, selected: lane === active }, coder.names[i]!)));
    this.name.value = active.coder;
    this.person.value = active.person;
    this.list.value = doc.labels.join("\n");
    this.drawBlind();
  }

  private speak(): void {
    const { begun, range, ranges, selected, active } = this.coder;
    let text = active ? `${ranges.length} ${ranges.length === 1 ? "range" : "ranges"}` : "";
    if (begun) text = `${begun.label || "a range"} begins at ${clock(begun.start / 1000)}`;
    else if (range) {
      text = `${range.label || "no label"}, ${clock(range.start / 1000)} to ${clock(range.end / 1000)}, range ${selected + 1} of ${ranges.length}`;
    }
    if (this.spoken.textContent !== text) this.spoken.textContent = text;
  }

  private drawBlind(): void {
    const focused = this.blind.contains(document.activeElement);
    const { session, say } = this.page;
    const shown = this.coder.doc!.shown.length > 0;
    if (session.blind) {
      const reveal = h("button", { type: "button", "data-role": "reveal", onclick: () => {
        session.setBlind(false);
        say("The results of the model are shown, which is noted in exported files.");
      } }, "Show them, and note it");
      fill(
        this.blind,
        h("p", {}, h("b", {}, "Blind."), " The results of the model, and lanes of other coders, are hidden."),
        h("details", {}, h("summary", {}, "Show them"), h("p", { class: "note" }, "Exported files will have the time, and how many ranges you had coded by then."), reveal),
      );
    } else {
      fill(
        this.blind,
        h("p", {}, h("b", {}, "Not blind."), ` The results of the model are visible${shown ? ", which is noted in exported files" : ""}.`),
        h("button", { type: "button", "data-role": "hide", onclick: () => session.setBlind(true) }, "Hide them"),
      );
    }
    if (focused) this.blind.querySelector<HTMLElement>("summary, button")!.focus();
  }

  private drawLabels(): void {
    const { coder } = this;
    const now = coder.range?.label ?? coder.begun?.label;
    const key = JSON.stringify([coder.labels, now]);
    if (this.palette.dataset.key === key) return;
    this.palette.dataset.key = key;
    const focused = this.palette.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset.label : null;
    const colours = coder.colours;
    const button = (label: string, shortcut: string) => {
      const element = h(
        "button",
        { type: "button", "data-label": label, "aria-pressed": String(now === label), onclick: () => coder.label(label) },
        label,
        shortcut ? " " : null,
        shortcut ? h("kbd", {}, shortcut) : null,
      );
      const colour = colours[label];
      if (colour) {
        element.style.background = colour;
        element.style.color = textOn(colour);
      }
      return element;
    };
    fill(this.palette, ...coder.labels.map((label, i) => button(label, i < 9 ? String(i + 1) : "")), button(EXCLUDE, "X"));
    if (focused) this.palette.querySelector<HTMLElement>(`[data-label="${CSS.escape(focused)}"]`)?.focus();
  }

  /** Adds the lanes of a file to the recording in view. */
  async import(file: File): Promise<void> {
    const { session, say } = this.page;
    const open = session.current;
    if (!open?.file) return say(`${file.name} is a coding: choose its recording first, then the coding again.`);
    try {
      const coding = await importCoding(file, file.name);
      if (open !== session.current) return;
      const filled = coding.tiers.filter((tier) => tier.intervals.length);
      const tiers = filled.length ? filled : coding.tiers;
      this.coder.addTiers(tiers);
      const parts = [`${tiers.length} ${tiers.length === 1 ? "lane" : "lanes"} of ${file.name}`];
      if (session.blind) parts.push("hidden while you code blind");
      if (coding.left_out?.length) parts.push(`without the tiers below others: ${coding.left_out.join(", ")}`);
      if (coding.media && stem(coding.media) !== stem(open.name)) parts.push(`made for ${coding.media}, not for ${open.name}`);
      const late = tiers.flatMap((tier) => tier.intervals).filter((one) => one.end_s > open.duration_s + 0.1).length;
      if (open.duration_s && late) parts.push(`${late} ranges end after ${clock(open.duration_s)}, the end of this recording`);
      say(`${parts.join("; ")}.`);
    } catch (error) {
      say(error instanceof ApiError ? problemText(error.problem) : String(error));
    }
  }

  private async export(format: string, suffix: string): Promise<void> {
    const { session, say } = this.page;
    const { doc, active } = this.coder;
    const open = session.current;
    if (!doc || !open || !active) return;
    try {
      const coding = toCoding(doc, open.name, open.duration_s, this.which.value === "one" ? active.id : undefined);
      const name = stem(open.name) + suffix;
      save(await exportCoding(coding, format), name);
      say(`saved ${name}`);
    } catch (error) {
      say(error instanceof ApiError ? problemText(error.problem) : String(error));
    }
  }
}
