// Keys of the page, and the list of them that "?" shows.

export interface Key {
  /** As `KeyboardEvent.key`, with "Shift+" before a key that has a name. */
  key: string;
  /** As it is shown: "Space", "→". */
  shown: string;
  does: string;
  run: () => void;
}

const STORED = "avtca.single-keys";

export class Keys {
  readonly all: Key[] = [];
  /** Whether keys of a single character act; they can be switched off for speech input (WCAG 2.1.4). */
  single = true;
  /** Whether the keys act at all; the page switches them off where they have no object. */
  active: () => boolean = () => true;

  constructor() {
    try {
      this.single = localStorage.getItem(STORED) !== "off";
    } catch {
      // storage is switched off
    }
    document.addEventListener("keydown", (event) => this.press(event));
  }

  add(key: string, shown: string, does: string, run: () => void): void {
    this.all.push({ key, shown, does, run });
  }

  setSingle(on: boolean): void {
    this.single = on;
    try {
      localStorage.setItem(STORED, on ? "on" : "off");
    } catch {
      // storage is switched off
    }
  }

  private press(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || !this.active()) return;
    const target = event.target as HTMLElement;
    if (target.closest("input:not([type=checkbox]), select, textarea, dialog, [contenteditable]")) return;
    // Space and Enter press the control that has the focus.
    const presses = event.key === " " || event.key === "Enter";
    if (presses && target.closest("button, a, summary, input, [role=tab]")) return;
    if (event.key.length === 1 && event.key !== " " && !this.single) return;
    const name = event.shiftKey && event.key.length > 1 ? `Shift+${event.key}` : event.key;
    const found = this.all.find((one) => one.key === name);
    if (!found) return;
    event.preventDefault();
    found.run();
  }
}
