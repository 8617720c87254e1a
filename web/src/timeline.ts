// The lanes under the video: one time axis, one playhead, selection, zoom.
import { h } from "./dom";
import { clock } from "./format";
import type { Lane } from "./lane";
import type { Player } from "./player";
import type { Session } from "./session";
import { onChange } from "./theme";

export class Timeline {
  readonly lanes: Lane[] = [];
  private readonly rows = h("div", { class: "lanes" });
  /** Also the slider of screen readers; the keys of the page move it. */
  private readonly line = h("div", { class: "playhead", role: "slider", tabindex: 0, "aria-label": "playhead", "aria-valuemin": 0, "aria-valuemax": 0, "aria-valuenow": 0 });
  private readonly hover = h("div", { class: "hover", "aria-hidden": "true" }, h("span"));
  private readonly range = h("div", { class: "range", hidden: true, "aria-hidden": "true" });
  private readonly scrolled = h("div");
  private readonly scroller = h("div", { class: "scroller", hidden: true, tabindex: 0, role: "group", "aria-label": "visible part" }, this.scrolled);
  /** The rows with what lies over them. */
  readonly body = h("div", { class: "lanes-body" }, this.rows, this.range, this.hover, this.line);
  readonly element = h("div", { class: "timeline" }, this.body, this.scroller);
  /** Text of the playhead for screen readers; set by the page. */
  describe: (time_s: number) => string = clock;
  private asked = 0;
  private left = 0;
  private width = 0;

  constructor(
    private readonly session: Session,
    private readonly player: Player,
  ) {
    for (const event of ["view", "current", "file", "selection", "blind", "person"] as const) {
      session.on(event, () => this.redraw());
    }
    session.on("playhead", (time) => this.moved(time));
    new ResizeObserver(() => this.redraw()).observe(this.rows);
    onChange(() => this.redraw());
    this.body.addEventListener("pointerdown", (event) => this.drag(event));
    this.body.addEventListener("pointermove", (event) => this.point(event));
    this.body.addEventListener("pointerleave", () => (this.hover.hidden = true));
    this.body.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.scroller.addEventListener("scroll", () => this.scrolledTo());
    this.hover.hidden = true;
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
      const { view, playhead_s, blind } = this.session;
      for (const lane of this.lanes) {
        lane.element.classList.toggle("blinded", lane.machine && blind);
        if (!(lane.machine && blind)) lane.draw(view, playhead_s);
      }
      this.measure();
      this.placeLine();
      this.placeRange();
      this.placeScroller();
    });
  }

  /** Seconds at a place on the screen. */
  timeAt(clientX: number): number {
    const { view } = this.session;
    const share = (clientX - this.body.getBoundingClientRect().left - this.left) / (this.width || 1);
    return view.start_s + Math.min(Math.max(0, share), 1) * (view.end_s - view.start_s);
  }

  zoom(factor: number, around_s = this.session.playhead_s): void {
    const { start_s, end_s } = this.session.view;
    const at = Math.min(Math.max(around_s, start_s), end_s);
    this.session.setView(at - (at - start_s) * factor, at + (end_s - at) * factor);
  }

  private measure(): void {
    const area = this.rows.querySelector<HTMLElement>(".lane:not(.blinded) .lane-area");
    if (!area) return;
    const [body, inner] = [this.body.getBoundingClientRect(), area.getBoundingClientRect()];
    this.left = inner.left - body.left;
    this.width = inner.width;
  }

  private x(time_s: number): number {
    const { view } = this.session;
    return this.left + ((time_s - view.start_s) / (view.end_s - view.start_s)) * this.width;
  }

  private moved(time: number): void {
    const { view } = this.session;
    const width = view.end_s - view.start_s;
    if (!this.player.paused && (time > view.end_s || time < view.start_s)) {
      this.session.setView(time - 0.05 * width, time + 0.95 * width);
    }
    for (const lane of this.lanes) {
      if (lane.follows && !lane.element.classList.contains("blinded")) lane.draw(view, time);
    }
    this.placeLine();
    this.line.setAttribute("aria-valuenow", time.toFixed(2));
    this.line.setAttribute("aria-valuemax", (this.session.current?.duration_s ?? 0).toFixed(2));
    this.line.setAttribute("aria-valuetext", this.describe(time));
  }

  private placeLine(): void {
    const { view, playhead_s } = this.session;
    this.line.hidden = playhead_s < view.start_s - 1e-6 || playhead_s > view.end_s + 1e-6;
    this.line.style.transform = `translateX(${this.x(playhead_s)}px)`;
  }

  private placeRange(): void {
    const { selection, view } = this.session;
    this.range.hidden = !selection || selection.end_s < view.start_s || selection.start_s > view.end_s;
    if (!selection || this.range.hidden) return;
    const [x0, x1] = [this.x(Math.max(selection.start_s, view.start_s)), this.x(Math.min(selection.end_s, view.end_s))];
    this.range.style.left = `${x0}px`;
    this.range.style.width = `${Math.max(1, x1 - x0)}px`;
  }

  private placeScroller(): void {
    const { view, current } = this.session;
    const shown = view.end_s - view.start_s;
    const length = current?.duration_s || shown;
    this.scroller.hidden = shown >= length - 1e-6;
    if (this.scroller.hidden) return;
    this.scroller.style.marginLeft = `${this.left}px`;
    this.scrolled.style.width = `${Math.min(1e6, (this.width * length) / shown)}px`;
    const most = this.scrolled.offsetWidth - this.scroller.clientWidth;
    const wanted = Math.round((view.start_s / (length - shown)) * most);
    if (Math.abs(this.scroller.scrollLeft - wanted) > 1) this.scroller.scrollLeft = wanted;
  }

  private scrolledTo(): void {
    const { view, current } = this.session;
    const shown = view.end_s - view.start_s;
    const length = current?.duration_s || shown;
    const most = this.scrolled.offsetWidth - this.scroller.clientWidth;
    const start = (this.scroller.scrollLeft / (most || 1)) * (length - shown);
    const pixel = (length - shown) / (most || 1);
    if (Math.abs(start - view.start_s) > 1.5 * pixel) this.session.setView(start, start + shown);
  }

  private drag(event: PointerEvent): void {
    const target = event.target as HTMLElement;
    if (event.button !== 0 || !target.closest(".lane-area") || target.closest("[data-own-pointer]")) return;
    if (!this.session.current) return;
    this.body.setPointerCapture(event.pointerId);
    const from = this.timeAt(event.clientX);
    const select = event.shiftKey;
    const move = (next: PointerEvent) => {
      const to = this.timeAt(next.clientX);
      if (select) this.session.setSelection({ start_s: Math.min(from, to), end_s: Math.max(from, to) });
      else this.player.seek(to);
    };
    const end = () => {
      this.body.removeEventListener("pointermove", move);
      const { selection } = this.session;
      if (select && selection && selection.end_s - selection.start_s < 0.02) this.session.setSelection(null);
    };
    this.body.addEventListener("pointermove", move);
    this.body.addEventListener("pointerup", end, { once: true });
    this.body.addEventListener("pointercancel", end, { once: true });
    if (!select) this.player.seek(from);
  }

  private point(event: PointerEvent): void {
    const inside = event.clientX - this.body.getBoundingClientRect().left >= this.left;
    this.hover.hidden = !inside || event.pointerType !== "mouse" || !this.session.current;
    if (this.hover.hidden) return;
    const time = this.timeAt(event.clientX);
    const x = this.x(time);
    this.hover.style.transform = `translateX(${x}px)`;
    this.hover.firstElementChild!.textContent = clock(time);
    this.hover.classList.toggle("flip", x > this.left + this.width - 80);
  }

  private wheel(event: WheelEvent): void {
    const { view } = this.session;
    const seconds = (view.end_s - view.start_s) / (this.width || 1);
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      this.zoom(Math.exp(event.deltaY * 0.002), this.timeAt(event.clientX));
    } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      const move = (event.deltaX || event.deltaY) * seconds;
      this.session.setView(view.start_s + move, view.end_s + move);
    }
  }
}
