// Agreement of two lanes, or of a lane and the model.
import { ApiError, problemText } from "../api";
import { fill, h } from "../dom";
import { dot } from "../side";
import type { Page } from "../page";
import { agreement, machineTiers, type Agreement } from "./api";
import type { Coder } from "./coder";
import { toCoding, type Tier } from "./doc";

const AFTER_CHANGE = 400;
const two = (value: number | null) => (value === null ? "–" : value.toFixed(2));
const seconds = (value: number) => `${value.toFixed(1)} s`;

export class AgreementView {
  private readonly first = h("select", { "aria-label": "first", onchange: () => void this.compute() });
  private readonly second = h("select", { "aria-label": "second", onchange: () => void this.compute() });
  private readonly result = h("div", { class: "agreement-result", "aria-live": "polite" });
  readonly element = h(
    "details",
    { class: "agreement" },
    h("summary", {}, "Agreement"),
    h("p", { class: "choices" }, this.first, " and ", this.second),
    this.result,
  );
  private machine: Tier[] = [];
  private timer = 0;
  private asked = 0;
  private listed = "";

  constructor(
    private readonly page: Page,
    private readonly coder: Coder,
  ) {
    this.element.addEventListener("toggle", () => void this.update());
    coder.on(() => {
      clearTimeout(this.timer);
      this.timer = window.setTimeout(() => void this.update(), AFTER_CHANGE);
    });
    page.session.on("file", () => void this.update());
  }

  private async update(): Promise<void> {
    if (!this.element.open) return;
    const { session } = this.page;
    const open = session.current;
    this.machine = [];
    if (open && !session.blind) this.machine = await machineTiers(open).catch(() => []);
    if (open !== session.current) return;
    this.list();
    await this.compute();
  }

  /** Offers the lanes that are not hidden, and the tiers of the model. */
  private list(): void {
    const { coder } = this;
    const lanes = coder.lanes.map((lane, i) => ({ value: `lane ${lane.id}`, text: coder.names[i]!, lane }));
    const shown = lanes.filter(({ lane }) => !(this.page.session.blind && lane.imported && lane !== coder.active));
    const all = [...shown, ...this.machine.map((tier, i) => ({ value: `model ${i}`, text: `model: ${tier.name}` }))];
    const text = JSON.stringify(all.map((one) => [one.value, one.text]));
    if (text === this.listed) return;
    this.listed = text;
    [this.first, this.second].forEach((select, k) => {
      const before = select.value;
      fill(select, ...all.map((one) => h("option", { value: one.value }, one.text)));
      const kept = all.some((one) => one.value === before);
      select.value = kept ? before : (all[Math.min(k, all.length - 1)]?.value ?? "");
    });
    if (this.first.value === this.second.value && all.length > 1) {
      this.second.value = all.find((one) => one.value !== this.first.value)!.value;
    }
  }

  private tier(value: string): Tier | null {
    const [kind, id] = value.split(" ");
    if (kind === "model") return this.machine[Number(id)] ?? null;
    const { doc } = this.coder;
    return (doc && toCoding(doc, "", 0, Number(id)).tiers[0]) ?? null;
  }

  private async compute(): Promise<void> {
    const [first, second] = [this.tier(this.first.value), this.tier(this.second.value)];
    const number = ++this.asked;
    if (!first || !second || this.first.value === this.second.value) {
      const hidden = this.page.session.blind ? " The model and other coders are hidden while you code blind." : "";
      fill(this.result, h("p", { class: "note" }, `Two lanes are needed.${hidden}`));
      return;
    }
    try {
      const found = await agreement(first, second);
      if (number === this.asked) this.show(found, first, second);
    } catch (error) {
      const text = error instanceof ApiError ? problemText(error.problem) : String(error);
      if (number === this.asked) fill(this.result, h("p", { class: "error" }, text));
    }
  }

  private show(found: Agreement, first: Tier, second: Tier): void {
    const labels = Object.keys(found.per_label);
    const share = found.compared_s ? Math.round((100 * found.agreed_s) / found.compared_s) : 0;
    const rows = labels.map((label) => {
      const one = found.per_label[label]!;
      return h(
        "tr",
        {},
        h("th", { scope: "row" }, dot(label, labels), label),
        ...[two(one.kappa), seconds(one.first_s), seconds(one.second_s), seconds(one.both_s)].map((text) => h("td", {}, text)),
      );
    });
    fill(
      this.result,
      h("p", { class: "kappa" }, "Cohen's kappa ", h("b", { "data-role": "kappa" }, two(found.kappa))),
      h("p", {}, found.compared_s
        ? `the same label in ${seconds(found.agreed_s)} of ${seconds(found.compared_s)} that both have labelled (${share} %)`
        : "no second has a label in both"),
      h(
        "div",
        { class: "scroll", tabindex: 0, role: "region", "aria-label": "agreement by label" },
        h(
          "table",
          {},
          h("thead", {}, h("tr", {}, ...["label", "kappa", first.name, second.name, "both"].map((text) => h("th", { scope: "col" }, text)))),
          h("tbody", {}, ...rows),
        ),
      ),
      h("p", { class: "note" }, "Each moment counts by its length. Excluded ranges, and moments without a label in one of the two, do not count. Kappa is 1 for full agreement and 0 for agreement by chance."),
    );
  }
}
