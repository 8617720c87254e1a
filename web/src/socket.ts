// The live socket, see docs/live.md. A lost connection is opened again and resumes its session.
import type { Row, Scores } from "./types";

export interface Created {
  type: "session.created";
  session_id: string;
  resumed: boolean;
  resume_s: number;
  model: string;
  labels: string[];
  thresholds: Record<string, number>;
}

export interface Result {
  type: "measurement.result";
  sequence: number;
  final: boolean;
  start_us: number;
  end_us: number;
  people: (Row & { scores: Scores })[];
  picture_us: number | null;
  delay_ms: number;
  counts: Record<string, number>;
}

export interface SocketError {
  type: "error";
  code: string;
  fatal: boolean;
  action: string;
  problem: string;
  fix: string;
}

interface Closed {
  type: "session.closed";
  reason: string;
}

export interface Handlers {
  created: (message: Created) => void;
  result: (message: Result) => void;
  error: (message: SocketError) => void;
  /** The connection was lost and is opened again. */
  lost: () => void;
  /** The session has ended; the reason of the server, or null where it cannot be reached. */
  closed: (reason: string | null) => void;
}

const AUDIO = 1;
const PICTURE = 2;
/** Bytes that wait to be sent, above which pictures are left out; and audio. */
const MOST_PICTURES = 200_000;
const MOST_AUDIO = 2_000_000;
const WAIT_MS = [300, 700, 1500, 3000];
/** Attempts to open a lost connection again. */
const TRIES = 20;
const FINALIZE_MS = 4000;

export class LiveSocket {
  private socket: WebSocket | null = null;
  private id: string | null = null;
  private ready = false;
  private ended = false;
  private tries = 0;
  left_out = 0;

  constructor(
    private readonly settings: Record<string, unknown>,
    private readonly handlers: Handlers,
  ) {
    this.connect();
  }

  private connect(): void {
    const url = new URL("v1/live", document.baseURI);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = (this.socket = new WebSocket(url));
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => {
      const create = { type: "session.create", session: this.settings, ...(this.id && { session_id: this.id }) };
      socket.send(JSON.stringify(create));
    });
    socket.addEventListener("message", (event) => {
      if (socket === this.socket) this.message(JSON.parse(String(event.data)) as Created | Result | SocketError | Closed);
    });
    socket.addEventListener("close", () => {
      if (socket !== this.socket || this.ended) return;
      this.ready = false;
      if (this.tries >= TRIES) {
        this.end(null);
        return;
      }
      this.handlers.lost();
      const wait = WAIT_MS[Math.min(this.tries++, WAIT_MS.length - 1)]!;
      setTimeout(() => !this.ended && this.connect(), wait);
    });
  }

  private message(message: Created | Result | SocketError | Closed): void {
    if (message.type === "session.created") {
      this.id = message.session_id;
      this.ready = true;
      this.tries = 0;
      this.handlers.created(message);
    } else if (message.type === "measurement.result") this.handlers.result(message);
    else if (message.type === "error") this.handlers.error(message);
    else if (message.type === "session.closed") this.end(message.reason);
  }

  private end(reason: string | null): void {
    if (this.ended) return;
    this.ended = true;
    this.socket?.close();
    this.handlers.closed(reason);
  }

  private send(kind: number, time_us: number, payload: ArrayBufferView | ArrayBuffer, most: number): void {
    if (!this.ready || this.socket?.readyState !== WebSocket.OPEN) return;
    if (this.socket.bufferedAmount > most) {
      this.left_out++;
      return;
    }
    const bytes = ArrayBuffer.isView(payload)
      ? new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength)
      : new Uint8Array(payload);
    const message = new Uint8Array(9 + bytes.length);
    const head = new DataView(message.buffer);
    head.setUint8(0, kind);
    head.setBigUint64(1, BigInt(Math.max(0, time_us)));
    message.set(bytes, 9);
    this.socket.send(message);
  }

  audio(time_us: number, samples: Int16Array): void {
    this.send(AUDIO, time_us, samples, MOST_AUDIO);
  }

  picture(time_us: number, jpeg: ArrayBuffer): void {
    this.send(PICTURE, time_us, jpeg, MOST_PICTURES);
  }

  /** Ends the recording; the server answers with the last results and closes. */
  finalize(): void {
    if (this.ready) this.socket?.send(JSON.stringify({ type: "finalize" }));
    else this.end(null);
    this.ready = false;
    setTimeout(() => this.end(null), FINALIZE_MS);
  }
}
