// Camera and microphone: JPEG pictures and blocks of PCM16, both with times of one clock in microseconds.

const PICTURES_PER_S = 15;
/** While several faces are in view: mouths tell who speaks. */
const DENSE_PER_S = 25;
const MOST_WIDTH = 640;
const QUALITY = 0.82;
const AUDIO_RATE = 16_000;
/** Blocks after which the start of the audio on the page's clock is fixed. */
const SETTLE = 8;
/** Error of the audio clock, in ms, at which it is set anew. */
const DRIFT_MS = 150;

export interface Sinks {
  picture: (time_us: number, jpeg: ArrayBuffer, width: number, height: number) => void;
  audio: (time_us: number, samples: Int16Array) => void;
  /** A device was unplugged, or the permission was taken back. */
  ended: () => void;
}

interface Block {
  first: number;
  samples: Int16Array;
}

export class Capture {
  /** Several faces are in view. */
  dense = false;
  private closed = false;
  private lastPicture = -Infinity;
  private encoding = false;
  private readonly canvas = new OffscreenCanvas(1, 1);
  private context: AudioContext | null = null;
  /** Time of sample 0 on the page's clock in ms; null until it has settled. */
  private zero_ms: number | null = null;
  private estimates: number[] = [];
  private held: Block[] = [];

  private constructor(
    private readonly stream: MediaStream,
    private readonly video: HTMLVideoElement,
    private readonly sinks: Sinks,
  ) {}

  /**
   * Asks for camera and microphone, or for the one that there is.
   *
   * @throws Error with a line for the user.
   */
  static async open(video: HTMLVideoElement, sinks: Sinks): Promise<Capture> {
    if (!navigator.mediaDevices) {
      throw new Error("The browser gives cameras to pages on this machine or over HTTPS only. Open the page by such an address.");
    }
    const picture = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } };
    const sound = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    const stream = await Capture.ask({ video: picture, audio: sound });
    const capture = new Capture(stream, video, sinks);
    for (const track of stream.getTracks()) track.addEventListener("ended", () => sinks.ended());
    video.srcObject = stream;
    video.muted = true;
    if (stream.getVideoTracks().length) {
      await video.play();
      capture.watch();
    }
    if (stream.getAudioTracks().length) await capture.listen();
    return capture;
  }

  private static async ask(wanted: MediaStreamConstraints): Promise<MediaStream> {
    const tries: MediaStreamConstraints[] = [wanted, { video: wanted.video! }, { audio: wanted.audio! }];
    let problem: unknown = null;
    for (const one of tries) {
      try {
        return await navigator.mediaDevices.getUserMedia(one);
      } catch (error) {
        problem ??= error;
        if ((error as DOMException).name === "NotAllowedError") break;
      }
    }
    const name = (problem as DOMException).name;
    if (name === "NotAllowedError") throw new Error("The browser was not allowed to use camera and microphone. Allow them beside the address, and start again.");
    if (name === "NotFoundError") throw new Error("No camera and no microphone was found. Connect one, and start again.");
    if (name === "NotReadableError") throw new Error("Camera or microphone is used by another program. Close it, and start again.");
    throw new Error(`Camera and microphone cannot be opened: ${(problem as Error).message}`);
  }

  get hasVideo(): boolean {
    return this.stream.getVideoTracks().length > 0;
  }

  get hasAudio(): boolean {
    return this.stream.getAudioTracks().length > 0;
  }

  close(): void {
    this.closed = true;
    for (const track of this.stream.getTracks()) track.stop();
    this.video.srcObject = null;
    void this.context?.close();
  }

  private watch(): void {
    this.video.requestVideoFrameCallback((now, frame) => {
      if (this.closed) return;
      void this.take(frame.captureTime ?? now);
      this.watch();
    });
  }

  private async take(time_ms: number): Promise<void> {
    const due = time_ms - this.lastPicture >= 1000 / (this.dense ? DENSE_PER_S : PICTURES_PER_S) - 4;
    const { videoWidth, videoHeight } = this.video;
    if (!due || this.encoding || !videoWidth) return;
    this.lastPicture = time_ms;
    this.encoding = true;
    try {
      const scale = Math.min(1, MOST_WIDTH / videoWidth);
      const [width, height] = [Math.round(videoWidth * scale), Math.round(videoHeight * scale)];
      if (this.canvas.width !== width || this.canvas.height !== height) {
        [this.canvas.width, this.canvas.height] = [width, height];
      }
      this.canvas.getContext("2d")!.drawImage(this.video, 0, 0, width, height);
      const jpeg = await this.canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY });
      const bytes = await jpeg.arrayBuffer();
      if (!this.closed) this.sinks.picture(Math.round(time_ms * 1000), bytes, width, height);
    } finally {
      this.encoding = false;
    }
  }

  private async listen(): Promise<void> {
    this.context = new AudioContext();
    await this.context.audioWorklet.addModule("./assets/capture.js");
    if (this.closed) return;
    const source = this.context.createMediaStreamSource(this.stream);
    const node = new AudioWorkletNode(this.context, "capture", { numberOfOutputs: 0 });
    node.port.onmessage = (event: MessageEvent<Block>) => this.block(event.data);
    source.connect(node);
    await this.context.resume();
  }

  /** Gives a block its time: that of its arrival, without the jitter of the arrivals. */
  private block(block: Block): void {
    if (this.closed) return;
    const zero = performance.now() - ((block.first + block.samples.length) / AUDIO_RATE) * 1000;
    if (this.zero_ms !== null && Math.abs(zero - this.zero_ms) > DRIFT_MS) {
      this.estimates.push(zero);
      // One late block is jitter; several are a stream that has stopped in between.
      if (this.estimates.length >= SETTLE) this.zero_ms = Math.min(...this.estimates);
    } else if (this.zero_ms !== null) {
      this.estimates = [];
    }
    if (this.zero_ms === null) {
      this.estimates.push(zero);
      this.held.push(block);
      if (this.held.length < SETTLE) return;
      this.zero_ms = Math.min(...this.estimates);
      this.estimates = [];
      for (const one of this.held) this.send(one);
      this.held = [];
      return;
    }
    this.send(block);
  }

  private send(block: Block): void {
    const time_ms = this.zero_ms! + (block.first / AUDIO_RATE) * 1000;
    this.sinks.audio(Math.round(time_ms * 1000), block.samples);
  }
}
