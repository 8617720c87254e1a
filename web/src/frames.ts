// The frame before or after another one, by its own timestamp. Where frames come at irregular times, a
// browser may still show a frame when the time of the next one is sought. A second player, out of view,
// therefore looks for the time at which the wanted frame is shown.
import { h } from "./dom";

/** Shortest step of the search: half a frame of 120 a second. */
const SHORTEST_S = 1 / 240;
/** A frame that is not announced again after a seek is the one before. */
const LATE_MS = 250;

/**
 * Seeks, and returns the timestamp of the frame that is then in view. Frames and the end of an earlier seek
 * may still be announced after this one has begun; only what comes after the end of this one counts.
 */
export function seekTo(video: HTMLVideoElement, time_s: number, before: number): Promise<number> {
  return new Promise((done) => {
    let shown = before;
    let late = 0;
    let callback = 0;
    const finish = () => {
      clearTimeout(late);
      video.cancelVideoFrameCallback(callback);
      done(shown);
    };
    const framed = (_now: number, frame: VideoFrameCallbackMetadata) => {
      shown = frame.mediaTime;
      if (late) finish();
      else callback = video.requestVideoFrameCallback(framed);
    };
    const seeked = () => {
      if (video.seeking) return;
      video.removeEventListener("seeked", seeked);
      late = window.setTimeout(finish, LATE_MS);
    };
    callback = video.requestVideoFrameCallback(framed);
    video.addEventListener("seeked", seeked);
    video.currentTime = time_s;
  });
}

export class FrameFinder {
  private readonly video = h("video", { muted: true, preload: "metadata", class: "probe", tabindex: -1, "aria-hidden": "true" });
  private url: string | null = null;
  private shown = -1;
  /** Of a frame: the frame after it, null at the end; and a time at which it is shown. */
  private readonly next = new Map<number, number | null>();
  private readonly shownAt = new Map<number, number>();
  readonly element = this.video;

  load(url: string | null): void {
    this.url = url;
    this.next.clear();
    this.shownAt.clear();
    this.video.removeAttribute("src");
  }

  /** A time to seek, so that the frame with this timestamp is shown. */
  timeOf(frame_s: number): number {
    return this.shownAt.get(frame_s) ?? frame_s;
  }

  private async seek(time_s: number): Promise<number> {
    const { video } = this;
    if (!video.getAttribute("src") && this.url) {
      video.src = this.url;
      await new Promise((ready) => video.addEventListener("loadeddata", ready, { once: true }));
    }
    this.shown = await seekTo(video, time_s, this.shown);
    if (!this.shownAt.has(this.shown)) this.shownAt.set(this.shown, time_s);
    return this.shown;
  }

  /** Timestamp of the frame after the one at `from`; null at the end. */
  async after(from: number): Promise<number | null> {
    const known = this.next.get(from);
    if (known !== undefined) return known;
    let found = from;
    let end = false;
    for (let step = SHORTEST_S; found <= from && !end; step *= 2) {
      end = from + step >= this.video.duration;
      found = await this.seek(from + step);
    }
    if (found > from) found = await this.firstAfter(from, found);
    this.next.set(from, found > from ? found : null);
    return this.next.get(from)!;
  }

  /** Doubled steps may have passed a frame: goes back while there is one in between. */
  private async firstAfter(from: number, found: number): Promise<number> {
    for (;;) {
      const before = await this.seek(found - 0.001);
      if (before <= from) return found;
      found = before;
    }
  }

  /** Timestamp of the frame before the one at `from`; null at the start. */
  async before(from: number): Promise<number | null> {
    if (from <= 0.001) return null;
    let found = await this.seek(from - 0.001);
    if (found >= from) return null;
    for (;;) {
      const next = await this.after(found);
      if (next === null || next >= from) return found;
      found = next;
    }
  }
}
