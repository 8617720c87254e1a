// Keys of the page, and the list of them that "?" shows.

export interface Key {
  /** As `KeyboardEvent.key`, with "Shift+" before it where that is held. */
  key: string;
  /** As it is shown: "Space", "→". */
  shown: string;
  does: string;
  run: () => void;
}

export class Keys {
  readonly all: Key[] = [];

  constructor() {
    document.addEventListener("keydown", (event) => this.press(event));
  }

  add(key: string, shown: string, does: string, run: () => void): void {
    this.all.push({ key, shown, does, run });
  }

  private press(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const target = event.target as HTMLElement;
    if (target.closest("input, select, textarea, dialog, [contenteditable]")) return;
    // Space and Enter press the button that has the focus.
    if ((event.key === " " || event.key === "Enter") && target.closest("button, a, summary, [role=tab]")) return;
    const name = event.shiftKey && event.key.length > 1 ? `Shift+${event.key}` : event.key;
    const found = this.all.find((one) => one.key === name);
    if (!found) return;
    event.preventDefault();
    found.run();
  }
}
