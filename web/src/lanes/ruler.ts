// The time axis.
import { axisTime, ticks } from "../format";
import { CanvasLane, xOf } from "../lane";
import type { View } from "../session";
import { palette } from "../theme";

export class Ruler extends CanvasLane {
  constructor() {
    super("time", 26, false);
    this.element.classList.add("ruler");
  }

  paint(c: CanvasRenderingContext2D, width: number, height: number, view: View): void {
    const colours = palette();
    c.font = `12px ${colours.font}`;
    c.textBaseline = "middle";
    c.lineWidth = 1;
    c.strokeStyle = colours.edge;
    c.fillStyle = colours.muted;
    const marks = ticks(view.start_s, view.end_s, Math.max(2, width / 84));
    for (const time of marks) {
      const x = Math.round(xOf(time, view, width - 1)) + 0.5;
      c.beginPath();
      c.moveTo(x, height - 6);
      c.lineTo(x, height);
      c.stroke();
      const text = axisTime(time, view.end_s) + (view.end_s < 120 ? " s" : "");
      const half = c.measureText(text).width / 2;
      c.textAlign = "center";
      c.fillText(text, Math.min(Math.max(x, half + 6), width - half), height / 2 - 3);
    }
  }
}
