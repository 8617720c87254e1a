// A coder's lane: drawn on a canvas, changed with the pointer.
import { fill, h } from "../dom";
import { CanvasLane, xOf } from "../lane";
import { textOn } from "../palette";
import type { Page } from "../page";
import type { View } from "../session";
import { palette } from "../theme";
import type { Coder } from "./coder";
import type { Lane } from "./doc";
import { EXCLUDE, at } from "./ranges";

const HEIGHT = 40;
/** Pixels inside a range at which its edge is caught; outside it is half, so that a range can begin there. */
const NEAR = 6;
const NEAR_TOUCH = 14;
/** Pixels from a time at which an edge snaps to it. */
const SNAP = 9;

/** An edge that is dragged: its range (-1: a new one) and its other edge, in milliseconds. */
interface Drag {
  index: number;
  fixed: number;
  now: number;
  /** It snapped to a time, so that it needs no frame. */
  exact: boolean;
  fixedExact: boolean;
  moved: boolean;
}

export class CodingLane extends CanvasLane {
  override readonly follows = true;
  private readonly count = h("small");
  private drag: Drag | null = null;

  constructor(
    private readonly page: Page,
    private readonly coder: Coder,
    readonly id: number,
    name: string,
  ) {
    super(name, HEIGHT, false);
    this.head.append(this.count);
    this.element.classList.add("coding-lane");
    this.canvas.dataset.ownPointer = "";
    this.canvas.addEventListener("pointerdown", (event) => this.down(event));
    this.canvas.addEventListener("pointermove", (event) => this.hover(event));
    this.update();
  }

  private get lane(): Lane | undefined {
    return this.coder.lanes.find((one) => one.id === this.id);
  }

  private get isActive(): boolean {
    return this.coder.active?.id === this.id;
  }

  /** Name, number of ranges, whether it is hidden and whether it is the one that is edited. */
  update(): void {
    const lane = this.lane;
    if (!lane) return;
    const name = this.coder.names[this.coder.lanes.indexOf(lane)]!;
    const size = lane.ranges.length;
    const text = `${size} ${size === 1 ? "range" : "ranges"}`;
    this.head.querySelector(".lane-name")!.textContent = name;
    fill(this.count, text);
    this.canvas.setAttribute("aria-label", `${name}: ${text}`);
    this.element.classList.toggle("chosen", this.isActive && this.coder.lanes.length > 1);
    this.element.hidden = this.page.session.blind && !this.isActive && lane.imported;
  }

  paint(c: CanvasRenderingContext2D, width: number, height: number, view: View, playhead_s: number): void {
    const lane = this.lane;
    if (!lane) return;
    const colour = palette();
    const colours = this.coder.colours;
    const x = (ms: number) => xOf(ms / 1000, view, width);
    c.fillStyle = colour.page;
    c.fillRect(0, 0, width, height);
    c.font = `13px ${colour.font}`;
    c.textBaseline = "middle";
    c.textAlign = "left";
    const draw = (start: number, end: number, label: string, selected: boolean) => {
      const [x0, x1] = [Math.max(-4, x(start)), Math.min(width + 4, x(end))];
      if (x1 < 0 || x0 > width) return;
      const wide = Math.max(1, x1 - x0);
      const fillColour = label === EXCLUDE || !label ? colour.card : (colours[label] ?? colour.quiet);
      c.save();
      c.beginPath();
      c.rect(x0, 1, wide, height - 2);
      c.clip();
      c.fillStyle = fillColour;
      c.fill();
      if (label === EXCLUDE) {
        c.strokeStyle = colour.edge;
        c.beginPath();
        for (let at = x0 - height; at < x1; at += 8) {
          c.moveTo(at, height);
          c.lineTo(at + height, 0);
        }
        c.stroke();
      }
      if (wide > 14) {
        const shown = label || "no label";
        const textWide = Math.min(c.measureText(shown).width, wide - 6);
        if (label === EXCLUDE) {
          c.fillStyle = colour.card;
          c.fillRect(x0 + 3, 8, textWide + 6, height - 16);
        }
        c.fillStyle = label === EXCLUDE ? colour.text : label ? textOn(fillColour) : colour.muted;
        c.fillText(shown, Math.max(x0, 0) + 6, height / 2);
      }
      c.restore();
      c.strokeStyle = selected ? colour.focus : colour.edge;
      c.lineWidth = selected ? 3 : 1;
      c.strokeRect(x0 + c.lineWidth / 2, 1 + c.lineWidth / 2, Math.max(1, wide - c.lineWidth), height - 2 - c.lineWidth);
    };
    const { drag } = this;
    lane.ranges.forEach((one, i) => {
      if (drag?.moved && drag.index === i) return;
      draw(one.start, one.end, one.label, this.isActive && this.coder.selected === i);
    });
    if (drag?.moved) {
      const label = lane.ranges[drag.index]?.label ?? "";
      draw(Math.min(drag.fixed, drag.now), Math.max(drag.fixed, drag.now), label, true);
    }
    const begun = this.isActive ? this.coder.begun : null;
    if (begun) {
      const now = playhead_s * 1000;
      draw(Math.min(begun.start, now), Math.max(begun.start, now + 1), begun.label, true);
    }
  }

  private redraw(): void {
    this.draw(this.page.session.view, this.page.session.playhead_s);
  }

  private msPerPixel(): number {
    const { view } = this.page.session;
    return ((view.end_s - view.start_s) * 1000) / (this.canvas.clientWidth || 1);
  }

  /** The edge near a place: index of its range and which edge. */
  private edge(event: PointerEvent): { index: number; first: boolean } | null {
    const lane = this.lane;
    if (!lane) return null;
    const time = this.page.timeline.timeAt(event.clientX) * 1000;
    const near = (event.pointerType === "touch" ? NEAR_TOUCH : NEAR) * this.msPerPixel();
    let found: { index: number; first: boolean } | null = null;
    let least = near;
    lane.ranges.forEach((one, index) => {
      // Of two ranges that touch, the one on the side of the pointer.
      const start = time >= one.start ? time - one.start : 2 * (one.start - time) + 1e-3;
      const end = time < one.end ? one.end - time : 2 * (time - one.end) + 1e-3;
      // A range that is narrow on the screen keeps its middle for selecting.
      const reach = Math.min(near, (one.end - one.start) / 3);
      if (start < least && (time < one.start || start < reach)) [found, least] = [{ index, first: true }, start];
      if (end < least && (time >= one.end || end < reach)) [found, least] = [{ index, first: false }, end];
    });
    return found;
  }

  private hover(event: PointerEvent): void {
    if (this.drag) return;
    this.canvas.style.cursor = this.edge(event) ? "ew-resize" : "pointer";
  }

  /** The time at a place, or a near one of the playhead, of an edge of any lane, or of the ends. */
  private snapped(clientX: number, playhead: number): { time: number; exact: boolean } {
    const { session, timeline } = this.page;
    const time = Math.round(timeline.timeAt(clientX) * 1000);
    const length = Math.round(session.current!.duration_s * 1000);
    const { drag } = this;
    const edges = this.coder.lanes.flatMap((lane) =>
      session.blind && lane.imported && lane.id !== this.id
        ? []
        : lane.ranges.flatMap((one, i) => (lane.id === this.id && i === drag?.index ? [] : [one.start, one.end])),
    );
    let best = { time, exact: false };
    let least = SNAP * this.msPerPixel();
    for (const one of [playhead, 0, length, ...edges]) {
      const distance = Math.abs(one - time);
      if (distance < least) [best, least] = [{ time: one, exact: true }, distance];
    }
    return best;
  }

  private down(event: PointerEvent): void {
    const { session, player } = this.page;
    const lane = this.lane;
    if (event.button !== 0 || !lane || !session.current) return;
    event.preventDefault();
    this.coder.activate(this.id);
    player.pause();
    const playhead = Math.round(session.playhead_s * 1000);
    const edge = this.edge(event);
    const time = Math.round(this.page.timeline.timeAt(event.clientX) * 1000);
    const inside = at(lane.ranges, time);
    if (edge) {
      const one = lane.ranges[edge.index]!;
      const [fixed, now] = edge.first ? [one.end, one.start] : [one.start, one.end];
      this.coder.select(edge.index);
      this.drag = { index: edge.index, fixed, now, exact: true, fixedExact: true, moved: false };
    } else if (inside >= 0) {
      this.coder.select(inside);
      player.seek(time / 1000);
      return;
    } else {
      const from = this.snapped(event.clientX, playhead);
      this.coder.select(-1);
      this.drag = { index: -1, fixed: from.time, now: from.time, exact: from.exact, fixedExact: from.exact, moved: false };
    }
    const drag = this.drag;
    const from = event.clientX;
    const move = (next: PointerEvent) => {
      if (!drag.moved && Math.abs(next.clientX - from) < 3) return;
      drag.moved = true;
      ({ time: drag.now, exact: drag.exact } = this.snapped(next.clientX, playhead));
      player.seek(drag.now / 1000);
      this.redraw();
    };
    const end = (cancelled: boolean) => {
      this.canvas.removeEventListener("pointermove", move);
      this.canvas.removeEventListener("pointerup", up);
      this.canvas.removeEventListener("pointercancel", cancel);
      if (drag.moved && !cancelled) void this.drop(drag);
      else {
        this.drag = null;
        if (!cancelled && drag.index < 0) player.seek(drag.now / 1000);
      }
      this.redraw();
    };
    const up = () => end(false);
    const cancel = () => end(true);
    this.canvas.setPointerCapture(event.pointerId);
    this.canvas.addEventListener("pointermove", move);
    this.canvas.addEventListener("pointerup", up);
    this.canvas.addEventListener("pointercancel", cancel);
  }

  /** Ends a drag. Edges that did not snap to a time then move to the frame that is in view there. */
  private async drop(drag: Drag): Promise<void> {
    const { coder } = this;
    const { current } = this.page.session;
    const before = this.lane!.ranges[drag.index];
    this.drag = null;
    if (!before) coder.add(drag.fixed, drag.now);
    else if (before.end === drag.fixed) coder.move(drag.index, drag.now, drag.fixed);
    else coder.move(drag.index, drag.fixed, drag.now);
    const lane = this.lane;
    const made = coder.range;
    if (!lane || !made || (drag.exact && drag.fixedExact)) return;
    this.element.dataset.busy = "";
    const frame = async (ms: number) => Math.round((await this.page.player.frameAt(ms / 1000)) * 1000);
    const [first, last] = drag.fixed <= drag.now ? [drag.fixedExact, drag.exact] : [drag.exact, drag.fixedExact];
    const start = first ? made.start : await frame(made.start);
    const end = last ? made.end : await frame(made.end);
    delete this.element.dataset.busy;
    if (current === this.page.session.current) coder.refine(lane, made, start, end);
  }
}
