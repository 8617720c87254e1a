// The turns of speech as a list, whose times move the playhead.
import { fill, h } from "./dom";
import type { Player } from "./player";
import type { Session } from "./session";
import { turnText } from "./speech";
import type { Turn } from "./types";

export class Turns {
  private readonly list = h("ol", { class: "turns" });
  readonly element = h("details", { class: "machine", hidden: true }, h("summary", {}, "Turns of speech as a list"), this.list);
  private listed: Turn[] | null = null;

  constructor(
    private readonly session: Session,
    private readonly player: Player,
  ) {
    session.on("current", () => this.draw());
    session.on("file", (open) => open === session.current && this.draw());
    this.element.addEventListener("toggle", () => this.draw());
  }

  private draw(): void {
    const turns = this.session.current?.report?.speech ?? [];
    this.element.hidden = !turns.length;
    if (!this.element.open || this.listed === turns) return;
    this.listed = turns;
    fill(
      this.list,
      ...turns.map((turn) =>
        h("li", {}, h("button", { type: "button", class: "quiet", onclick: () => this.player.seek(turn.start_s) }, turnText(turn))),
      ),
    );
  }
}
