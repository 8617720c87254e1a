// The turns of speech, in the colour of the person; hatched where it is undecided who speaks.
import { h } from "../dom";
import { CanvasLane, xOf } from "../lane";
import { lastBefore } from "../series";
import type { Session, View } from "../session";
import { personColour, speakerName, totals } from "../speech";
import { palette } from "../theme";
import type { Turn } from "../types";
import { hatch } from "./draw";

export class SpeechLane extends CanvasLane {
  private turns: Turn[] = [];
  private starts: number[] = [];

  constructor(session: Session) {
    super("Speech", 28, true, h("small", {}, "hatched: undecided"));
    this.element.hidden = true;
    const update = () => this.set(session.current?.report?.speech ?? []);
    session.on("current", update);
    session.on("file", (open) => open === session.current && update());
  }

  private set(turns: Turn[]): void {
    if (turns === this.turns) return;
    this.turns = turns;
    this.starts = turns.map((turn) => turn.start_s);
    this.element.hidden = !turns.length;
    this.canvas.setAttribute("aria-label", `Who speaks: ${totals(turns)}`);
  }

  paint(c: CanvasRenderingContext2D, width: number, height: number, view: View): void {
    const colours = palette();
    c.fillStyle = colours.page;
    c.fillRect(0, 0, width, height);
    c.font = `600 12px ${colours.font}`;
    c.textBaseline = "middle";
    c.textAlign = "center";
    c.lineWidth = 1;
    const striped = hatch(colours.edge, 5);
    for (let i = Math.max(0, lastBefore(this.starts, view.start_s)); i < this.turns.length; i++) {
      const turn = this.turns[i]!;
      if (turn.start_s >= view.end_s) break;
      const x0 = Math.max(-2, xOf(turn.start_s, view, width));
      const x1 = Math.min(width + 2, xOf(turn.end_s, view, width));
      if (x1 <= 0) continue;
      const known = turn.person !== null;
      c.fillStyle = known ? personColour(turn.person!) : turn.visible === null ? striped : colours.muted;
      c.fillRect(x0, 2, Math.max(1, x1 - x0), height - 4);
      c.strokeStyle = colours.edge;
      if (x1 - x0 > 3) c.strokeRect(x0 + 0.5, 2.5, x1 - x0 - 1, height - 5);
      const ink = known ? "#000000" : turn.visible === null ? colours.text : colours.card;
      this.write(c, turn, Math.max(0, x0), Math.min(width, x1), height / 2, ink, colours.card);
    }
    c.strokeStyle = colours.line;
    c.strokeRect(0.5, 0.5, width - 1, height - 1);
  }

  /** The name of the speaker, or as much of it as there is room for. */
  private write(
    c: CanvasRenderingContext2D, turn: Turn, x0: number, x1: number, y: number, ink: string, card: string,
  ): void {
    const short = turn.person !== null ? String(turn.person) : turn.visible === null ? "?" : "off";
    const text = [speakerName(turn), short].find((one) => c.measureText(one).width + 8 <= x1 - x0);
    if (!text) return;
    const half = c.measureText(text).width / 2;
    if (turn.visible === null) {
      c.fillStyle = card;
      c.fillRect((x0 + x1) / 2 - half - 3, y - 8, 2 * half + 6, 16);
    }
    c.fillStyle = ink;
    c.fillText(text, (x0 + x1) / 2, y + 0.5);
  }
}
