// Annotation: the coder's lanes, keys and panel.
import type { Page } from "../page";
import { Coder } from "./coder";
import "./coding.css";
import { CodingLane } from "./lane";
import { isCoding, Panel } from "./panel";
import { EXCLUDE } from "./ranges";

export { isCoding };

/** Returns a function that adds the lanes of a file to the recording in view. */
export function addCoding(page: Page): (file: File) => Promise<void> {
  const { session, timeline, player, keys } = page;
  const coder = new Coder(session, () => Math.round(session.playhead_s * 1000));
  const panel = new Panel(page, coder);
  page.addPanel("Coding", panel.element);

  const lanes = new Map<number, CodingLane>();
  const update = () => {
    const wanted = new Set(coder.lanes.map((lane) => lane.id));
    for (const [id, lane] of lanes) {
      if (wanted.has(id)) continue;
      timeline.remove(lane);
      lanes.delete(id);
    }
    coder.lanes.forEach((one, i) => {
      if (!lanes.has(one.id)) {
        const lane = new CodingLane(page, coder, one.id, coder.names[i]!);
        lanes.set(one.id, lane);
        timeline.add(lane);
      }
      lanes.get(one.id)!.update();
    });
    timeline.redraw();
  };
  session.on("current", () => {
    for (const lane of lanes.values()) timeline.remove(lane);
    lanes.clear();
    update();
  });
  coder.on(update);

  for (let digit = 1; digit <= 9; digit++) {
    keys.add(String(digit), "1 … 9", "coding: label of the range, or from here on", () => {
      const label = coder.labels[digit - 1];
      if (label !== undefined) coder.label(label);
    });
  }
  keys.add("x", "X", "coding: exclude the range", () => coder.label(EXCLUDE));
  keys.add("i", "I", "coding: start, end of a range at the playhead", () => coder.markStart());
  keys.add("o", "O", "coding: start, end of a range at the playhead", () => coder.markEnd());
  keys.add("s", "S", "coding: split the range at the playhead", () => coder.split());
  keys.add("Delete", "Del", "coding: delete the range", () => coder.remove());
  keys.add("Backspace", "⌫", "coding: delete the range", () => coder.remove());
  const step = (forwards: boolean) => {
    const start = coder.step(forwards);
    if (start !== null) player.seek(start / 1000 + 0.0006);
  };
  keys.add("p", "P", "coding: the range before, after", () => step(false));
  keys.add("n", "N", "coding: the range before, after", () => step(true));
  keys.add("u", "U", "coding: undo, redo (also Ctrl Z, Ctrl Y)", () => coder.undo());
  keys.add("U", "⇧ U", "coding: undo, redo (also Ctrl Z, Ctrl Y)", () => coder.redo());
  document.addEventListener("keydown", (event) => {
    const target = event.target as HTMLElement;
    if (!(event.ctrlKey || event.metaKey) || event.altKey || target.closest("input, textarea, select, dialog")) return;
    const key = event.key.toLowerCase();
    if (key === "z" && !event.shiftKey) coder.undo();
    else if (key === "y" || (key === "z" && event.shiftKey)) coder.redo();
    else return;
    event.preventDefault();
  });
  return (file) => panel.import(file);
}
