// Runs beside the page: resamples the microphone to 16 kHz and sends blocks of 40 ms as PCM16.
declare const sampleRate: number;
declare const AudioWorkletProcessor: { new (): { readonly port: MessagePort } };
declare function registerProcessor(name: string, processor: unknown): void;

const RATE = 16_000;
const BLOCK = 640;
/** Zero crossings of the low-pass on each side, and steps of its table between two of them. */
const CROSSINGS = 16;
const TABLE = 256;

class Capture extends AudioWorkletProcessor {
  private readonly ratio = sampleRate / RATE;
  /** Cut-off relative to the lower of both Nyquist frequencies. */
  private readonly cut = 0.92 * Math.min(1, RATE / sampleRate);
  private readonly half = Math.ceil(CROSSINGS / this.cut);
  private readonly kernel = Float64Array.from({ length: CROSSINGS * TABLE + 1 }, (_, i) => {
    const x = i / TABLE;
    const sinc = x ? Math.sin(Math.PI * x) / (Math.PI * x) : 1;
    return sinc * (0.5 + 0.5 * Math.cos((Math.PI * x) / CROSSINGS));
  });
  /** Input from sample `start` on. */
  private input = new Float32Array(0);
  private start = 0;
  /** Number of the next sample of the output. */
  private next = 0;
  private block = new Int16Array(BLOCK);
  private filled = 0;

  process(inputs: Float32Array[][]): boolean {
    const channels = inputs[0] ?? [];
    const length = channels[0]?.length ?? 0;
    if (!length) return true;
    const joined = new Float32Array(this.input.length + length);
    joined.set(this.input);
    for (let i = 0; i < length; i++) {
      let sum = 0;
      for (const channel of channels) sum += channel[i]!;
      joined[this.input.length + i] = sum / channels.length;
    }
    this.input = joined;
    while (this.next * this.ratio + this.half < this.start + joined.length) this.emit(this.sample(this.next * this.ratio));
    const keep = Math.max(0, Math.floor(this.next * this.ratio) - this.half - this.start);
    this.input = joined.slice(keep);
    this.start += keep;
    return true;
  }

  /** The low-passed input at a position between its samples. */
  private sample(at: number): number {
    let sum = 0;
    const last = Math.floor(at + this.half);
    for (let i = Math.max(this.start, Math.ceil(at - this.half)); i <= last; i++) {
      const k = Math.round(Math.abs(at - i) * this.cut * TABLE);
      sum += (this.input[i - this.start] ?? 0) * (this.kernel[k] ?? 0);
    }
    return sum * this.cut;
  }

  private emit(value: number): void {
    this.block[this.filled++] = Math.max(-32768, Math.min(32767, Math.round(value * 32767)));
    this.next++;
    if (this.filled < BLOCK) return;
    this.port.postMessage({ first: this.next - BLOCK, samples: this.block }, [this.block.buffer]);
    this.block = new Int16Array(BLOCK);
    this.filled = 0;
  }
}

registerProcessor("capture", Capture);
