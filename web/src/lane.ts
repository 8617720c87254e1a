// A lane of the timeline: a name at the left, and a canvas that shares the time axis of all lanes.
import { h, type Child } from "./dom";
import type { View } from "./session";

export interface Lane {
  /** The row: name and drawing. */
  readonly element: HTMLElement;
  /** Hidden in blind coding: shows what the machine recognised. */
  readonly machine: boolean;
  /** Draws the visible part. The playhead itself is one line over all lanes, drawn by the timeline. */
  draw(view: View, playhead_s: number): void;
}

/** A lane that draws into a canvas of its own. */
export abstract class CanvasLane implements Lane {
  readonly element: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  readonly head: HTMLElement;
  private width = 0;

  /**
   * @param name Short name, shown at the left.
   * @param height In CSS pixels.
   * @param machine Whether it shows what the machine recognised.
   */
  constructor(
    readonly name: string,
    readonly height: number,
    readonly machine: boolean,
    ...head: Child[]
  ) {
    this.canvas = h("canvas", { role: "img", "aria-label": name });
    this.canvas.style.height = `${height}px`;
    this.head = h("div", { class: "lane-head" }, h("span", { class: "lane-name" }, name), ...head);
    this.element = h("div", { class: "lane" }, this.head, h("div", { class: "lane-area" }, this.canvas));
  }

  /** Draws the visible part; x of a time is `(t - view.start_s) / (view.end_s - view.start_s) * width`. */
  abstract paint(c: CanvasRenderingContext2D, width: number, height: number, view: View): void;

  draw(view: View): void {
    const width = this.canvas.clientWidth;
    if (!width) return;
    const scale = window.devicePixelRatio || 1;
    const [w, high] = [Math.round(width * scale), Math.round(this.height * scale)];
    if (this.canvas.width !== w || this.canvas.height !== high || this.width !== width) {
      [this.canvas.width, this.canvas.height, this.width] = [w, high, width];
    }
    const c = this.canvas.getContext("2d")!;
    c.setTransform(scale, 0, 0, scale, 0, 0);
    c.clearRect(0, 0, width, this.height);
    this.paint(c, width, this.height, view);
  }
}

export function xOf(time_s: number, view: View, width: number): number {
  return ((time_s - view.start_s) / (view.end_s - view.start_s)) * width;
}
