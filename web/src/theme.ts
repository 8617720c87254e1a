// Light and dark: by the system, or chosen. Colours of the canvases come from the style sheet.

export type Choice = "system" | "light" | "dark";
const KEY = "avtca.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
const NAMES = [
  "text", "muted", "line", "card", "page", "edge", "focus", "heat", "wave", "good", "accent", "quiet",
] as const;
export type Palette = Record<(typeof NAMES)[number], string> & { font: string };
let known: Palette | null = null;
const listeners: (() => void)[] = [];

function stored(): Choice {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : "system";
  } catch {
    return "system";
  }
}

let choice = stored();

export const current = () => choice;

export function choose(next: Choice): void {
  choice = next;
  try {
    if (next === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, next);
  } catch {
    // storage is switched off: the choice holds until the page is closed
  }
  apply();
}

function apply(): void {
  const name = choice === "system" ? (dark.matches ? "dark" : "light") : choice;
  document.documentElement.dataset.theme = name;
  known = null;
  for (const listener of listeners) listener();
}

/** Calls `listener` when the theme changes. */
export function onChange(listener: () => void): void {
  listeners.push(listener);
}

/** Colours of the present theme. */
export function palette(): Palette {
  if (!known) {
    const style = getComputedStyle(document.documentElement);
    const pairs = NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]);
    known = { ...Object.fromEntries(pairs), font: "system-ui, sans-serif" } as Palette;
  }
  return known;
}

/** Runs `draw` with the colours of the light theme, for pictures that are saved. */
export function withLight(draw: () => void): void {
  const before = document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = "light";
  known = null;
  try {
    draw();
  } finally {
    document.documentElement.dataset.theme = before ?? "light";
    known = null;
  }
}

dark.addEventListener("change", apply);
apply();
