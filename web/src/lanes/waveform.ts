// The loudness of the audio, from peaks that the server collected while it read the file.
import { CanvasLane } from "../lane";
import type { Session, View } from "../session";
import { palette } from "../theme";

export class Waveform extends CanvasLane {
  constructor(private readonly session: Session) {
    super("Audio", 52, false);
  }

  paint(c: CanvasRenderingContext2D, width: number, height: number, view: View): void {
    const colours = palette();
    const middle = height / 2;
    c.fillStyle = colours.line;
    c.fillRect(0, middle - 0.5, width, 1);
    const wave = this.session.current?.track?.waveform;
    if (!wave?.peaks.length) {
      c.font = `12px ${colours.font}`;
      c.fillStyle = colours.muted;
      c.textBaseline = "bottom";
      if (this.session.current?.track) c.fillText("no audio", 6, middle - 3);
      return;
    }
    const { peaks, rate } = wave;
    const loudest = this.loudest(peaks);
    c.fillStyle = colours.wave;
    const per = ((view.end_s - view.start_s) * rate) / width;
    for (let x = 0; x < width; x++) {
      const first = Math.floor(view.start_s * rate + x * per);
      const last = Math.max(first + 1, Math.floor(view.start_s * rate + (x + 1) * per));
      let peak = 0;
      for (let i = first; i < last && i < peaks.length; i++) peak = Math.max(peak, peaks[i] ?? 0);
      const half = Math.max(0.5, (peak / loudest) * (middle - 2));
      if (first < peaks.length) c.fillRect(x, middle - half, 1, 2 * half);
    }
  }

  private cache: { peaks: number[]; loudest: number } | null = null;

  private loudest(peaks: number[]): number {
    if (this.cache?.peaks !== peaks) {
      this.cache = { peaks, loudest: peaks.reduce((most, peak) => Math.max(most, peak), 0.05) };
    }
    return this.cache.loudest;
  }
}
