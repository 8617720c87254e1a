// Faces over the video: boxes of the frame in view, by its timestamp.
import { fill, h } from "./dom";
import { lastBefore } from "./series";
import type { Session } from "./session";
import type { Box, FaceTrack, Track } from "./types";

/** Frames that were read without the face, over which its box is still interpolated. */
const MOST_MISSED = 1;

/**
 * The box of a face at a timestamp: that of the frame itself, or between those of the frames before and after.
 * At the ends of its appearance that of the nearest frame that was read. Null where the face was not seen.
 */
export function boxAt(face: FaceTrack, track: Track, time_s: number): Box | null {
  const { frames } = track;
  const place = (time: number) => lastBefore(frames, time + 1e-3);
  const i = lastBefore(face.time_s, time_s + 1e-3);
  const [before, after] = [face.time_s[i], face.time_s[i + 1]];
  if (before !== undefined && after !== undefined && place(after) - place(before) <= MOST_MISSED + 1) {
    const share = Math.max(0, (time_s - before) / (after - before));
    return face.box[i]!.map((edge, k) => edge + share * (face.box[i + 1]![k]! - edge)) as Box;
  }
  if (before !== undefined) {
    const next = frames[place(before) + 1];
    if (next === undefined || time_s < (before + next) / 2 || time_s <= before + 1e-3) return face.box[i]!;
  }
  if (after !== undefined) {
    const last = frames[place(after) - 1];
    if (last === undefined || time_s > (last + after) / 2) return face.box[i + 1]!;
  }
  return null;
}

export class Overlay {
  readonly element = h("div", { class: "overlay machine", "aria-hidden": "true" });
  private readonly boxes = new Map<number, HTMLElement>();
  /** The text below the number of a person at a moment; set by the page. */
  labelOf: (person: number, time_s: number) => string | null = () => null;

  /** Whether a person speaks at a moment; set by the page. */
  speaks: (person: number, time_s: number) => boolean = () => false;

  constructor(
    private readonly session: Session,
    private readonly video: HTMLVideoElement,
  ) {
    session.on("current", () => this.clear());
    new ResizeObserver(() => this.place()).observe(video.parentElement ?? video);
    video.addEventListener("resize", () => this.place());
  }

  show(visible: boolean): void {
    this.element.classList.toggle("off", !visible);
  }

  private clear(): void {
    this.element.replaceChildren();
    this.boxes.clear();
  }

  /** Puts the overlay over the picture, which leaves bars at the sides or above and below. */
  place(): void {
    const stage = this.element.parentElement;
    const track = this.session.current?.track;
    const [width, height] = [this.video.videoWidth || track?.width, this.video.videoHeight || track?.height];
    if (!stage || !width || !height) return;
    const scale = Math.min(stage.clientWidth / width, stage.clientHeight / height);
    const style = this.element.style;
    style.width = `${width * scale}px`;
    style.height = `${height * scale}px`;
    style.left = `${(stage.clientWidth - width * scale) / 2}px`;
    style.top = `${(stage.clientHeight - height * scale) / 2}px`;
  }

  /** Draws the faces of a frame by its timestamp. */
  draw(time: number): void {
    const track = this.session.current?.track;
    this.element.dataset.time = time.toFixed(4);
    if (!track?.width) return;
    for (const face of track.faces) {
      const box = boxAt(face, track, time);
      let element = this.boxes.get(face.person);
      if (!box) {
        element?.remove();
        this.boxes.delete(face.person);
        continue;
      }
      if (!element) {
        element = h("div", { class: "face", "data-person": face.person }, h("span"));
        this.boxes.set(face.person, element);
        this.element.append(element);
      }
      this.draw1(element, face.person, box, track, time);
    }
  }

  private draw1(element: HTMLElement, person: number, box: Box, track: Track, time: number): void {
    const { style } = element;
    style.left = `${(100 * box[0]) / track.width}%`;
    style.top = `${(100 * box[1]) / track.height}%`;
    style.width = `${(100 * (box[2] - box[0])) / track.width}%`;
    style.height = `${(100 * (box[3] - box[1])) / track.height}%`;
    element.classList.toggle("chosen", person === this.session.person);
    element.classList.toggle("right", box[0] + box[2] > 1.2 * track.width);
    element.classList.toggle("low", box[1] < 0.09 * track.height);
    const label = this.labelOf(person, time);
    const speaks = this.speaks(person, time);
    element.classList.toggle("speaks", speaks);
    const text = `person ${person}${speaks ? " speaks" : ""}`;
    fill(element.firstElementChild!, text, label ? h("i", {}, `: ${label}`) : null);
  }
}
