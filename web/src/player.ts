// The video, played from the user's own file, and the faces over it at the timestamp of the frame in view.
import { h, fill } from "./dom";
import { clock } from "./format";
import { FrameFinder, seekTo } from "./frames";
import { Overlay } from "./overlay";
import type { Session } from "./session";

const IMAGE = /\.(jpe?g|png|webp|gif|bmp|avif)$/i;
/** A playing video without a new frame for so long is out of view. */
const HIDDEN_MS = 400;
/** Steps that wait while a key is held down. */
const MOST_STEPS = 3;
const SPEEDS = [0.25, 0.5, 1, 1.5, 2];

export class Player {
  readonly video = h("video", { playsinline: true, preload: "metadata", tabindex: -1, "aria-label": "video" });
  readonly overlay: Overlay;
  private readonly finder = new FrameFinder();
  private readonly image = h("img", { alt: "the image", hidden: true });
  private readonly notice = h("p", { class: "stage-note", hidden: true });
  private readonly stage: HTMLElement;
  private readonly playButton: HTMLButtonElement;
  private readonly time = h("span", { class: "time" });
  private readonly speed: HTMLSelectElement;
  readonly element: HTMLElement;
  /** Timestamp of the frame in view; null where there is no video. */
  private mediaTime: number | null = null;
  /** The browser cannot play the file: the playhead runs by itself. */
  private silent = false;
  private clockFrom: { time_s: number; at: number } | null = null;
  /** When the last frame was announced. */
  private framed = 0;
  /** Where the playhead was set; the frame in view may be a little earlier. */
  private wanted: number | null = null;

  constructor(private readonly session: Session) {
    this.overlay = new Overlay(session, this.video);
    this.stage = h("div", { class: "stage" }, this.video, this.image, this.notice, this.overlay.element, this.finder.element);
    const button = (label: string, text: string, run: () => void) =>
      h("button", { type: "button", "aria-label": label, title: label, onclick: run }, text);
    this.playButton = button("play", "▶", () => this.toggle());
    this.speed = h(
      "select",
      { "aria-label": "speed", onchange: () => (this.video.playbackRate = Number(this.speed.value)) },
      ...SPEEDS.map((one) => h("option", { value: one, selected: one === 1 }, `${one}×`)),
    );
    const boxes = h("input", { type: "checkbox", checked: true, onchange: () => this.overlay.show(boxes.checked) });
    const mute = h("input", { type: "checkbox", checked: true, onchange: () => (this.video.muted = !mute.checked) });
    const controls = h(
      "div",
      { class: "controls" },
      this.playButton,
      button("frame back", "◂|", () => void this.step(-1)),
      button("frame forward", "|▸", () => void this.step(1)),
      this.time,
      h("span", { class: "grow" }),
      h("label", { class: "machine" }, boxes, "faces"),
      h("label", {}, mute, "sound"),
      this.speed,
    );
    this.element = h("div", { class: "player" }, this.stage, controls);
    this.listen();
  }

  private listen(): void {
    const { session, video } = this;
    session.on("current", () => this.load());
    session.on("playhead", () => {
      this.showTime();
      this.overlay.draw(this.shown_s);
    });
    session.on("person", () => this.overlay.draw(this.shown_s));
    session.on("file", (open) => {
      if (open !== session.current) return;
      this.showTime();
      this.overlay.place();
      this.overlay.draw(this.shown_s);
    });
    video.addEventListener("loadedmetadata", () => {
      if (session.current) session.setDuration(session.current, video.duration);
      this.overlay.place();
      if (!video.videoWidth) this.tell(video.duration > 0 ? "Audio only" : null);
    });
    video.addEventListener("error", () => this.unplayable());
    for (const name of ["play", "pause", "ended"]) video.addEventListener(name, () => this.showTime());
    video.addEventListener("play", () => this.run());
    video.addEventListener("seeked", () => this.follow());
    if ("requestVideoFrameCallback" in video) this.watch();
  }

  /** Calls back for each frame that is shown, with its own timestamp. */
  private watch(): void {
    this.video.requestVideoFrameCallback((_now, frame) => {
      this.mediaTime = frame.mediaTime;
      this.framed = performance.now();
      // Until the first frame after a seek, the one in view is from before.
      if (!this.video.paused && !this.video.seeking) this.wanted = null;
      this.follow();
      this.overlay.draw(frame.mediaTime);
      this.watch();
    });
  }

  private load(): void {
    const open = this.session.current;
    this.video.pause();
    this.clockFrom = null;
    this.mediaTime = null;
    this.wanted = null;
    this.silent = false;
    this.steps = [];
    this.finder.load(open?.url ?? null);
    this.tell(null);
    const image = open?.file ? open.file.type.startsWith("image/") || IMAGE.test(open.name) : false;
    this.image.hidden = !image;
    this.video.hidden = image;
    if (open?.url && image) this.image.src = open.url;
    else this.image.removeAttribute("src");
    if (open?.url && !image) {
      this.video.src = open.url;
      this.video.playbackRate = Number(this.speed.value);
    } else {
      this.video.removeAttribute("src");
      this.video.load();
      if (open && !image) {
        this.silent = true;
        this.tell(`Choose ${open.name} again to see it; its results are below.`);
      }
    }
    this.overlay.place();
    this.showTime();
  }

  private unplayable(): void {
    if (!this.video.getAttribute("src")) return;
    this.silent = true;
    const name = this.session.current?.name ?? "this file";
    this.tell(`This browser cannot play ${name}. It can be recognised all the same; an MP4 or WebM copy can be played.`);
    this.overlay.place();
  }

  private tell(text: string | null): void {
    this.notice.hidden = text === null;
    fill(this.notice, text ?? "");
  }

  get paused(): boolean {
    return this.silent ? this.clockFrom === null : this.video.paused;
  }

  toggle(): void {
    if (!this.paused) this.pause();
    else void this.play();
  }

  async play(): Promise<void> {
    const end = this.session.current?.duration_s ?? 0;
    if (this.silent) {
      const from = this.session.playhead_s >= end - 0.01 ? 0 : this.session.playhead_s;
      this.clockFrom = { time_s: from, at: performance.now() };
      this.run();
    } else if (this.session.current?.url) {
      await this.video.play().catch(() => undefined);
    }
    this.showTime();
  }

  pause(): void {
    this.video.pause();
    this.clockFrom = null;
    this.showTime();
  }

  /** Moves the playhead while something plays that has no frames. */
  private run(): void {
    const tick = () => {
      if (this.paused) return;
      this.follow();
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  private follow(): void {
    if (this.clockFrom) {
      const end = this.session.current?.duration_s ?? 0;
      const time = this.clockFrom.time_s + ((performance.now() - this.clockFrom.at) / 1000) * Number(this.speed.value);
      if (time >= end) this.pause();
      this.session.setPlayhead(Math.min(time, end));
    } else if (!this.silent) {
      const running = !this.video.paused && !this.video.seeking;
      // A video that is scrolled out of view plays without frames.
      const hidden = running && performance.now() - this.framed > HIDDEN_MS;
      if (this.mediaTime === null || !this.video.videoWidth || hidden) {
        if (this.wanted === null || running) this.session.setPlayhead(this.video.currentTime);
      } else if (this.wanted === null) this.session.setPlayhead(this.mediaTime);
    }
  }

  seek(time_s: number): void {
    const open = this.session.current;
    if (!open) return;
    const time = Math.min(Math.max(0, time_s), open.duration_s);
    if (this.clockFrom) this.clockFrom = { time_s: time, at: performance.now() };
    if (!this.silent && open.url && !this.video.hidden) this.video.currentTime = time;
    this.wanted = time;
    this.session.setPlayhead(time);
  }

  /** Timestamp of what is in view: of the frame, else the playhead. */
  get shown_s(): number {
    return this.silent || this.mediaTime === null || !this.video.videoWidth ? this.session.playhead_s : this.mediaTime;
  }

  /** Seeks, and returns the timestamp of the frame that is then in view; the time itself where there are no frames. */
  async frameAt(time_s: number): Promise<number> {
    this.pause();
    const times = this.session.current?.track?.frames ?? [];
    if (this.silent) return times.findLast((t) => t <= time_s + 1e-4) ?? time_s;
    if (this.mediaTime === null || !this.video.videoWidth) return time_s;
    return seekTo(this.video, Math.min(time_s + 0.0006, this.video.duration), this.mediaTime);
  }

  /** Steps that were asked for; the first is under way. */
  private steps: (1 | -1)[] = [];

  /** The next or the previous frame, by their own timestamps. */
  async step(direction: 1 | -1): Promise<void> {
    this.pause();
    if (this.silent || this.mediaTime === null || !this.video.videoWidth) {
      const times = this.session.current?.track?.frames ?? [];
      const now = this.session.playhead_s;
      const next = direction > 0 ? times.find((t) => t > now + 1e-4) : times.findLast((t) => t < now - 1e-4);
      this.seek(next ?? now + direction / 25);
      return;
    }
    this.wanted = null;
    if (this.steps.length < MOST_STEPS) this.steps.push(direction);
    if (this.steps.length > 1) return;
    while (this.steps.length) {
      const from = this.mediaTime ?? 0;
      const to = this.steps[0]! > 0 ? await this.finder.after(from) : await this.finder.before(from);
      if (to !== null && this.steps.length) await seekTo(this.video, this.finder.timeOf(to), from);
      this.steps.shift();
    }
  }

  private showTime(): void {
    const open = this.session.current;
    const playing = !this.paused;
    this.playButton.textContent = playing ? "❚❚" : "▶";
    const label = playing ? "pause" : "play";
    this.playButton.setAttribute("aria-label", label);
    this.playButton.title = label;
    this.time.textContent = `${clock(this.session.playhead_s)} / ${clock(open?.duration_s ?? 0)}`;
  }
}
