// A picture of each person, cut from the user's own file.
import { h } from "./dom";
import type { OpenFile } from "./session";

const SIZE = 88;
const WAIT_MS = 4000;

function event(video: HTMLVideoElement, name: string): Promise<boolean> {
  return new Promise((done) => {
    const late = setTimeout(() => done(false), WAIT_MS);
    video.addEventListener(name, () => (clearTimeout(late), done(true)), { once: true });
    video.addEventListener("error", () => (clearTimeout(late), done(false)), { once: true });
  });
}

/** Calls `found` with the face of each person, as far as the browser can play the file. */
export async function portraits(open: OpenFile, found: (person: number, face: HTMLCanvasElement) => void): Promise<void> {
  const people = (open.report?.people ?? []).filter((one) => one.box && one.at_s !== null);
  if (!open.url || !people.length || !open.track?.width) return;
  const video = h("video", { muted: true, preload: "metadata" });
  video.src = open.url;
  if (!(await event(video, "loadeddata"))) return;
  for (const one of people.sort((a, b) => a.at_s! - b.at_s!)) {
    const arrived = event(video, "seeked");
    video.currentTime = one.at_s! + 0.001;
    if (!(await arrived)) break;
    const scale = video.videoWidth / open.track.width;
    const [x0, y0, x1, y1] = one.box!.map((edge) => edge * scale) as [number, number, number, number];
    const side = 1.25 * Math.max(x1 - x0, y1 - y0);
    const canvas = h("canvas", { class: "portrait", width: SIZE, height: SIZE, "aria-hidden": "true" });
    const c = canvas.getContext("2d")!;
    c.drawImage(video, (x0 + x1 - side) / 2, (y0 + y1 - side) / 2, side, side, 0, 0, SIZE, SIZE);
    found(one.person, canvas);
  }
  video.removeAttribute("src");
  video.load();
}
