// A lane of the timeline: a name at the left, and a canvas that shares the time axis of all lanes.
import { h, type Child } from "./dom";
import type { View } from "./session";

export interface Lane {
  /** The row: name and drawing. */
  readonly element: HTMLElement;
  /** Hidden in blind coding: shows what the machine recognised. */
  readonly machine: boolean;
  /** Whether the drawing depends on the playhead; the line of the playhead itself does not count. */
  readonly follows?: boolean;
  /** Draws the visible part. */
  draw(view: View, playhead_s: number): void;
}

/** A lane that draws into a canvas of its own. */
export abstract class CanvasLane implements Lane {
  readonly element: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  readonly head: HTMLElement;
  readonly follows: boolean = false;
  /** Names of rows inside the drawing with their y, for saved pictures. */
  readonly rowNames: [string, number][] = [];

  /**
   * @param name Short name, shown at the left.
   * @param height In CSS pixels.
   * @param machine Whether it shows what the machine recognised.
   * @param head More content beside the name.
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

  /** Draws the visible part; `xOf` gives the place of a time. */
  abstract paint(
    c: CanvasRenderingContext2D,
    width: number,
    height: number,
    view: View,
    playhead_s: number,
  ): void;

  draw(view: View, playhead_s: number): void {
    const width = this.canvas.clientWidth;
    if (!width) return;
    const scale = window.devicePixelRatio || 1;
    const [w, high] = [Math.round(width * scale), Math.round(this.height * scale)];
    if (this.canvas.width !== w || this.canvas.height !== high) {
      [this.canvas.width, this.canvas.height] = [w, high];
    }
    const c = this.canvas.getContext("2d")!;
    c.setTransform(scale, 0, 0, scale, 0, 0);
    c.clearRect(0, 0, width, this.height);
    this.paint(c, width, this.height, view, playhead_s);
  }
}

export function xOf(time_s: number, view: View, width: number): number {
  return ((time_s - view.start_s) / (view.end_s - view.start_s)) * width;
}
