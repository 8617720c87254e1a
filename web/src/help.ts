// The list of keys.
import { fill, h } from "./dom";
import type { Keys } from "./keys";

export class Help {
  private readonly list = h("dl", { class: "keys" });
  private readonly single = h("input", { type: "checkbox" });
  readonly dialog = h(
    "dialog",
    { "aria-labelledby": "keys-title" },
    h("h2", { id: "keys-title" }, "Keys"),
    this.list,
    h("p", {}, h("label", {}, this.single, "keys of a single character (such as + and ?)")),
    h("p", {}, h("button", { type: "button", class: "primary", onclick: () => this.dialog.close() }, "Close")),
  );

  constructor(private readonly keys: Keys) {
    this.single.addEventListener("change", () => keys.setSingle(this.single.checked));
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
  }

  show(): void {
    this.single.checked = this.keys.single;
    const groups = new Map<string, string[]>();
    for (const key of this.keys.all) groups.set(key.does, [...(groups.get(key.does) ?? []), key.shown]);
    fill(
      this.list,
      ...[...groups].map(([does, shown]) => h("div", {}, h("dt", {}, ...shown.map((one) => h("kbd", {}, one))), h("dd", {}, does))),
    );
    this.dialog.showModal();
  }
}
