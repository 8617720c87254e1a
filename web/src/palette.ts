// Colours and order of emotions, as src/avtca/plots/style.py has them; a test compares both.
export const LABEL_COLOURS: Record<string, string> = {
  angry: "#b3261e",
  contempt: "#32121f",
  disgust: "#86d3ac",
  fear: "#9a50e6",
  happy: "#f7d21e",
  neutral: "#80868c",
  calm: "#0f6058",
  boredom: "#e0763f",
  sad: "#1d3fa8",
  surprise: "#f4a6e0",
};

/** Labels in the order of every figure, others last in their own order. */
export function ordered(labels: string[]): string[] {
  const names = Object.keys(LABEL_COLOURS);
  const place = (label: string) => (names.includes(label) ? names.indexOf(label) : names.length);
  return labels.map((label, i) => [place(label), i, label] as const)
    .sort((a, b) => a[0] - b[0] || a[1] - b[1])
    .map((one) => one[2]);
}

/** The colour of each label; other labels than those above get colours that are free. */
export function colours(labels: string[]): Record<string, string> {
  let free = Object.keys(LABEL_COLOURS).filter((name) => !labels.includes(name)).map((name) => LABEL_COLOURS[name]!);
  if (!free.length) free = Object.values(LABEL_COLOURS);
  const others = labels.filter((label) => !(label in LABEL_COLOURS));
  return Object.fromEntries(
    labels.map((label) => [label, LABEL_COLOURS[label] ?? free[others.indexOf(label) % free.length]!]),
  );
}

/** Black or white, whichever has more contrast with a background. */
export function textOn(background: string): string {
  const [r, g, b] = [1, 3, 5].map((i) => {
    const c = parseInt(background.slice(i, i + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000000" : "#ffffff";
}
