// Times and shares as text.
import type { Verdict } from "./types";

/** A time on an axis that ends at `end_s`: seconds, m:ss or h:mm:ss. */
export function axisTime(time_s: number, end_s: number): string {
  if (end_s < 120) return String(Math.round(time_s * 1000) / 1000);
  const whole = Math.round(time_s);
  const [hours, minutes, seconds] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n: number) => String(n).padStart(2, "0");
  return hours || end_s >= 3600 ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
}

/** A moment as m:ss.cc or h:mm:ss.cc, cut to the hundredth. */
export function clock(time_s: number): string {
  const all = Math.floor(Math.max(0, time_s) * 100 + 1e-6);
  const [hours, minutes] = [Math.floor(all / 360000), Math.floor(all / 6000) % 60];
  const rest = `${String(Math.floor(all / 100) % 60).padStart(2, "0")}.${String(all % 100).padStart(2, "0")}`;
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** A length: "2.3 s", "4 min 10 s", "1 h 02 min". */
export function length(time_s: number): string {
  if (time_s < 60) return `${time_s.toFixed(1)} s`;
  const whole = Math.round(time_s);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor(whole / 60) % 60).padStart(2, "0")} min`;
}

export const percent = (share: number) => `${Math.round(share * 100)}\u00a0%`;

const INPUTS: Record<string, string> = {
  both: "face and voice",
  face: "face only",
  voice: "voice only",
  mixed: "mixed input",
};
export const inputText = (streams: string) => INPUTS[streams] ?? streams;

const DOUBTS: Record<string, string> = {
  "partly decoded": "less than 90 % of the file could be decoded",
  "still face": "the face never moves; it may be a photograph beside another's voice",
  "few frames": "most of the video repeats the frame before",
  "brief face": "the face was seen for less than a second",
  "shared audio": "several people are in view, and it is undecided who speaks",
  "short track": "audio or video ends before 90 % of the other",
  "training clip": "the model was trained on this file",
  "short window": "the recording has only begun",
};
/** What the doubts of a result mean, see docs/output.md. */
export const doubtText = (verdict: Pick<Verdict, "doubts">) => (verdict.doubts ?? []).map((one) => DOUBTS[one] ?? one).join("; ");

/** Why a confidence is not to be relied on; empty above the threshold. */
export function certainty(verdict: Pick<Verdict, "sure" | "streams" | "doubts">): string {
  if (verdict.doubts?.length) return verdict.doubts.join(", ");
  if (verdict.sure === null) return `no threshold for ${inputText(verdict.streams)}`;
  return verdict.sure ? "" : "below threshold";
}

/** Round times inside a part of an axis, at most `most`. */
export function ticks(start_s: number, end_s: number, most: number): number[] {
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400];
  const step = steps.find((one) => (end_s - start_s) / one <= most) ?? 28800;
  const first = Math.ceil(start_s / step - 1e-9);
  const count = Math.floor(end_s / step + 1e-9) - first + 1;
  return Array.from({ length: Math.max(0, count) }, (_, i) => Math.round((first + i) * step * 1000) / 1000);
}
