// The ranges of the active lane as a table, for keyboard and screen readers.
import { fill, h } from "../dom";
import type { Page } from "../page";
import type { Coder } from "./coder";
import { EXCLUDE } from "./ranges";

/** Rows at a time; the page of the selected range is shown. */
const ROWS = 50;

export class RangeTable {
  private readonly summary = h("summary", {}, "Ranges");
  private readonly body = h("tbody");
  private readonly pages = h("p", { class: "row" });
  readonly element = h(
    "details",
    { class: "range-table" },
    this.summary,
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "ranges" },
      h("table", {}, h("thead", {}, h("tr", {}, ...["start, s", "end, s", "label"].map((text) => h("th", { scope: "col" }, text)), h("td"))), this.body),
    ),
    this.pages,
  );
  private first = 0;
  private drawn = "";

  constructor(
    private readonly page: Page,
    private readonly coder: Coder,
  ) {
    this.element.addEventListener("toggle", () => this.draw());
    coder.on(() => this.draw());
  }

  private draw(): void {
    const { ranges, selected } = this.coder;
    this.summary.textContent = `Ranges (${ranges.length})`;
    if (!this.element.open) return;
    if (selected >= 0 && (selected < this.first || selected >= this.first + ROWS)) this.first = selected - (selected % ROWS);
    if (this.first >= ranges.length) this.first = 0;
    const key = JSON.stringify([ranges.slice(this.first, this.first + ROWS), this.first, ranges.length, selected, this.coder.labels]);
    if (key === this.drawn) return;
    this.drawn = key;
    const focused = this.body.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset.cell : null;
    fill(this.body, ...ranges.slice(this.first, this.first + ROWS).map((_, i) => this.row(this.first + i)));
    if (focused) this.body.querySelector<HTMLElement>(`[data-cell="${focused}"]`)?.focus();
    const turn = (to: number, text: string) =>
      h("button", { type: "button", disabled: to < 0 || to >= ranges.length, onclick: () => {
        this.coder.select(-1);
        this.first = to;
        this.draw();
      } }, text);
    fill(this.pages, ...(ranges.length > ROWS ? [turn(this.first - ROWS, "earlier"), turn(this.first + ROWS, "later")] : []));
  }

  private row(index: number): HTMLElement {
    const { coder } = this;
    const one = coder.ranges[index]!;
    const edge = (name: "start" | "end") => {
      const input = h("input", {
        type: "number", step: 0.001, min: 0, value: (one[name] / 1000).toFixed(3),
        "aria-label": `${name} of range ${index + 1} in seconds`, "data-cell": `${name} ${index}`,
      });
      input.addEventListener("change", () => {
        const time = Math.round(input.valueAsNumber * 1000);
        if (!Number.isFinite(time)) input.value = (one[name] / 1000).toFixed(3);
        else if (name === "start") coder.move(index, time, one.end);
        else coder.move(index, one.start, time);
      });
      return h("td", {}, input);
    };
    const known = [...coder.labels, EXCLUDE, ""];
    const labels = known.includes(one.label) ? known : [one.label, ...known];
    const label = h(
      "select",
      { "aria-label": `label of range ${index + 1}`, "data-cell": `label ${index}` },
      ...labels.map((name) => h("option", { value: name, selected: name === one.label }, name || "no label")),
    );
    label.addEventListener("change", () => {
      coder.select(index);
      coder.label(label.value);
    });
    const show = () => {
      coder.select(index);
      this.page.player.seek(one.start / 1000);
    };
    return h(
      "tr",
      { class: index === coder.selected ? "chosen" : null },
      edge("start"),
      edge("end"),
      h("td", {}, label),
      h("td", {}, h("button", { type: "button", "aria-label": `go to range ${index + 1}`, "data-cell": `go ${index}`, onclick: show }, "go")),
    );
  }
}
