// The lanes under the video: one time axis, one playhead, selection, zoom.
import { h } from "./dom";
import type { Lane } from "./lane";
import type { Session } from "./session";

export class Timeline {
  readonly element = h("section", { class: "timeline", "aria-label": "timeline" });
  private readonly rows = h("div", { class: "lanes" });
  private readonly lanes: Lane[] = [];
  private asked = 0;

  constructor(
    private readonly session: Session,
    readonly seek: (time_s: number) => void,
  ) {
    this.element.append(this.rows);
    for (const event of ["view", "current", "file", "selection", "blind", "person"] as const) {
      session.on(event, () => this.redraw());
    }
    new ResizeObserver(() => this.redraw()).observe(this.rows);
  }

  /** Adds a lane below the others, or above `before`. */
  add(lane: Lane, before?: Lane): void {
    const at = before ? this.lanes.indexOf(before) : this.lanes.length;
    this.lanes.splice(at, 0, lane);
    this.rows.insertBefore(lane.element, before?.element ?? null);
    this.redraw();
  }

  remove(lane: Lane): void {
    const at = this.lanes.indexOf(lane);
    if (at >= 0) this.lanes.splice(at, 1);
    lane.element.remove();
  }

  /** Draws all lanes before the next frame of the screen. */
  redraw(): void {
    this.asked ||= requestAnimationFrame(() => {
      this.asked = 0;
      for (const lane of this.lanes) {
        lane.element.hidden = lane.machine && this.session.blind;
        if (!lane.element.hidden) lane.draw(this.session.view, this.session.playhead_s);
      }
    });
  }
}
